# SPDX-License-Identifier: Apache-2.0
"""Checkpoints in the store: written under the hash of their content, found by a hint or by listing.

In: a state to keep, or nothing. Out: its key, or the newest state that can be read, and a word for
each file that could not. Two writers at one position write the same content under the same key.
"""

from __future__ import annotations

import contextlib
import hashlib
import heapq
import json
import re
import tempfile
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import IO, Any

from tabard_registry.checkpoint.codec import lines_of
from tabard_registry.checkpoint.header import header_of, read_header
from tabard_registry.checkpoint.packed import PackedLines
from tabard_registry.errors import CorruptRegistry, NotFound, RegistryError
from tabard_registry.release.manifest import canonical_json
from tabard_registry.state.overlay import Overlay
from tabard_registry.state.state import State
from tabard_registry.store.store import Store

HINT_KEY = "hint.json"
"""Names the newest checkpoint; advisory: wrong or missing, it costs a listing."""
CHECKPOINT_PREFIX = "checkpoint/"
"""Where checkpoints lie."""
CHECKPOINT_BYTES_MAX = 4 << 30
"""Largest checkpoint that is read, uncompressed."""

_KEY = re.compile(r"checkpoint/([0-9]{20})-([0-9a-f]{64})\.json\.gz")
_HINT_BYTES_MAX = 4096
_GZIP = 16 + zlib.MAX_WBITS
_CHUNK_BYTES = 1 << 20
_COMPRESSION = 3
_TRIED_MAX = 3


class Checkpoints:
    """The checkpoints of one registry. Any thread.

    Attributes:
        newest_seq: Position of the newest one that this process knows of; 0 for none.
        damaged: What was wrong with those that were passed over when the newest was looked for.
    """

    def __init__(self, store: Store, *, registry_id: str) -> None:
        self._store = store
        self._registry_id = registry_id
        self.newest_seq = 0
        self.damaged: tuple[CorruptRegistry, ...] = ()

    def keep(self, state: State, *, records_min: int = 1) -> str | None:
        """Keep a state unless somebody kept one less than `records_min` records ago.

        Raises:
            StoreUnavailable, OSError: As for `write`.
        """
        if state.seq - self.newest_seq < records_min:
            return None
        hinted = _KEY.fullmatch(self._hinted() or "")
        if hinted and int(hinted[1]) <= state.seq:
            self.newest_seq = max(self.newest_seq, int(hinted[1]))
        if state.seq - self.newest_seq < records_min:
            return None
        return self.write(state)

    def write(self, state: State) -> str:
        """Keep a state, and return its key. Idempotent.

        Raises:
            StoreUnavailable: The store did not take it; trying again is safe.
            OSError: There is no room for a temporary file.
        """
        with tempfile.TemporaryFile(prefix="tabard-checkpoint-") as file:
            digest = _compress(_content_of(state), file)
            key = f"{CHECKPOINT_PREFIX}{state.seq:020d}-{digest}.json.gz"
            file.seek(0)
            self._store.put(key, chunks=iter(lambda: file.read(_CHUNK_BYTES), b""))
        self._store.replace(HINT_KEY, body=canonical_json({"checkpoint": key, "seq": state.seq}))
        self.newest_seq = state.seq
        return key

    def open_newest(self) -> State | None:
        """Read the newest checkpoint that can be read; None without one.

        Raises:
            StoreUnavailable: The store did not answer.
        """
        self.damaged = ()
        for key in self._candidates():
            try:
                state = self.read(key)
                self.newest_seq = state.seq
                return state
            except CorruptRegistry as error:
                self.damaged += (error,)
            except NotFound:
                continue
            if len(self.damaged) >= _TRIED_MAX:
                break
        return None

    def read(self, key: str) -> State:
        """Read one checkpoint, verified against its name.

        Raises:
            NotFound: There is none.
            CorruptRegistry: Its bytes are damaged, or it belongs to another registry.
            StoreUnavailable: The store did not answer.
        """
        found = _KEY.fullmatch(key)
        if found is None:
            raise _corrupt(key, detail="that is not the name of a checkpoint")
        try:
            content = self._decompress(key, digest=found[2])
            state = _state_of(content)
        except (zlib.error, ValueError, TypeError, KeyError, IndexError, RecursionError) as error:
            raise _corrupt(key, detail=repr(error)[:200]) from error
        except NotFound:
            raise
        except CorruptRegistry as error:
            raise _corrupt(key, detail=str(error)) from error
        if state.registry_id != self._registry_id or state.seq != int(found[1]):
            raise _corrupt(key, detail="it belongs to another registry or position")
        return state

    def keys(self) -> list[str]:
        """List the checkpoints, the newest first.

        Raises:
            StoreUnavailable: The store did not answer.
        """
        found = (one.key for one in self._store.objects(CHECKPOINT_PREFIX))
        return sorted((key for key in found if _KEY.fullmatch(key)), reverse=True)

    def _candidates(self) -> Iterator[str]:
        hinted = self._hinted()
        if hinted is not None:
            yield hinted
        yield from (key for key in self.keys() if key != hinted)

    def _hinted(self) -> str | None:
        content = None
        with contextlib.suppress(CorruptRegistry):
            content = self._store.read(HINT_KEY, bytes_max=_HINT_BYTES_MAX)
        try:
            key = json.loads(content or b"{}").get("checkpoint")
        except (ValueError, AttributeError, RecursionError):
            return None
        return key if isinstance(key, str) and _KEY.fullmatch(key) else None

    def _decompress(self, key: str, *, digest: str) -> bytearray:
        hasher, content = hashlib.sha256(), bytearray()
        unzipper = zlib.decompressobj(_GZIP)
        # Both let go of the interpreter: one piece is hashed while the next is decompressed.
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="tabard-hash") as hashing:
            hashed = hashing.submit(hasher.update, b"")
            for chunk in self._store.stream(key):
                piece = unzipper.decompress(chunk, CHECKPOINT_BYTES_MAX + 1 - len(content))
                hashed.result()
                hashed = hashing.submit(hasher.update, piece)
                content += piece
                if len(content) > CHECKPOINT_BYTES_MAX:
                    raise ValueError(f"more than {CHECKPOINT_BYTES_MAX} bytes")
            hashed.result()
        if not unzipper.eof or unzipper.unused_data or hasher.hexdigest() != digest:
            raise ValueError("its content does not have the hash in its name")
        return content


def _state_of(content: bytearray) -> State:
    first = content.index(b"\n") + 1
    second = content.index(b"\n", first) + 1
    lines = PackedLines(content, start=second)
    documents: list[Any] = [json.loads(content[:first]), json.loads(content[first:second])]
    try:
        return read_header(*documents, adapters=Overlay(lines))
    except RegistryError as error:
        raise ValueError(str(error)) from error


def _content_of(state: State) -> Iterator[bytes | bytearray]:
    for document in header_of(state):
        yield canonical_json(document) + b"\n"
    changed = {str(name): line for name, line in state.adapters.changed.items()}
    base = state.adapters.base
    kept = base.blocks() if isinstance(base, PackedLines) else iter(())
    old = ((name, block) for name, block in kept if name not in changed)
    new = ((name, b"") for name in sorted(changed))
    for name, block in heapq.merge(old, new):
        yield block or b"".join(line + b"\n" for line in lines_of(changed[name]))


def _compress(chunks: Iterator[bytes | bytearray], file: IO[bytes]) -> str:
    hasher = hashlib.sha256()
    zipper = zlib.compressobj(_COMPRESSION, zlib.DEFLATED, _GZIP)
    for chunk in chunks:
        hasher.update(chunk)
        file.write(zipper.compress(chunk))
    file.write(zipper.flush())
    return hasher.hexdigest()


def _corrupt(key: str, *, detail: str) -> CorruptRegistry:
    return CorruptRegistry(
        f"{key} is damaged: {detail}",
        reason="CORRUPT_CHECKPOINT",
        hint=f"Delete {key}: it is derived, and the log is read instead until the next is written.",
    )
