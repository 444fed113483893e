# SPDX-License-Identifier: Apache-2.0
"""What the servers of one registry share and no API shows: a key, and who has seen which sides.

It lies beside the log, not in it: history, watches and checkpoints tell what is in the log, and a
backup is the log. Who reads the place itself reads this too.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable

from tabard_registry.errors import CorruptRegistry, StoreUnavailable
from tabard_registry.place import BLIND_FOLDER
from tabard_registry.store.store import TRY_AGAIN, Outcome, Store

KEY_BYTES = 32
"""Length of the key."""

_KEY = f"{BLIND_FOLDER}/key"
_MARK = b"seen\n"


class BlindBook:
    """Withheld things of one registry, the same for all its servers. Thread-safe."""

    def __init__(
        self, store: Store, *, new_key: Callable[[int], bytes] = secrets.token_bytes
    ) -> None:
        """Take where the objects of the registry are, and what draws a key."""
        self._store = store
        self._new_key = new_key
        self._known: bytes | None = None

    def key(self) -> bytes:
        """Return the key; whoever asks first draws it, and all others read that.

        Raises:
            StoreUnavailable: The store did not answer.
            CorruptRegistry: It is no key.
        """
        if self._known is None:
            found = self._read_key()
            if found is None:
                # Whatever came of it: the one that lies there counts.
                self._store.create(_KEY, body=self._new_key(KEY_BYTES))
                found = self._read_key()
            if found is None:
                raise StoreUnavailable(
                    "the store does not say whether the key of blind pairs is there",
                    reason="STORE_UNAVAILABLE",
                    hint=TRY_AGAIN,
                    is_passing=True,
                )
            self._known = found
        return self._known

    def note_seen(self, what: str, *, reader: str) -> None:
        """Note that somebody knows the sides of some pairs; idempotent.

        Args:
            what: 64 hexadecimal digits: the name of the set of pairs, or of what draws them.
            reader: Who.

        Raises:
            StoreUnavailable: It may not be noted.
        """
        if self._store.create(_mark(what, reader), body=_MARK) is Outcome.UNKNOWN and (
            not self.has_seen(what, reader=reader)
        ):
            raise StoreUnavailable(
                "the store does not say whether it noted who reads a report",
                reason="STORE_UNAVAILABLE",
                hint=TRY_AGAIN,
                is_passing=True,
            )

    def has_seen(self, what: str, *, reader: str) -> bool:
        """Say whether that was noted.

        Raises:
            StoreUnavailable: The store did not answer.
        """
        return self._store.size_bytes(_mark(what, reader)) is not None

    def _read_key(self) -> bytes | None:
        found = self._store.read(_KEY, bytes_max=KEY_BYTES)
        if found is not None and len(found) != KEY_BYTES:
            raise CorruptRegistry(
                f"{_KEY} is no key",
                reason="CORRUPT_BLOB",
                hint="Delete it: another is drawn, and pairs that were not voted on are shuffled.",
            )
        return found


def _mark(what: str, reader: str) -> str:
    who = hashlib.sha256(reader.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{BLIND_FOLDER}/seen/{what}/{who}"
