# SPDX-License-Identifier: Apache-2.0
"""Sessions of the page: a secret in a cookie stands for a token, which is kept in memory alone.

In: a token that the server knows. Out: a secret, which is worth nothing anywhere else, and nothing
here once the session has ended. Knows nothing of HTTP.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from tabard import Unauthenticated


@dataclass(slots=True, kw_only=True)
class Session:
    """One visitor.

    Attributes:
        token: What the server is shown; empty once the session has ended.
        used_at: When it was used last, by the clock of its sessions.
        ended: Why the server knows the token no more; None: it does.
    """

    token: str = field(repr=False)
    used_at: float
    ended: Unauthenticated | None = None


class Sessions:
    """All sessions, the longest unused first. Those that nobody uses end by themselves."""

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        new_secret: Callable[[], str],
        count_max: int,
        idle_seconds_max: float,
    ) -> None:
        """Take what tells seconds, what makes secrets, and how many and how long they may be."""
        self._clock = clock
        self._new_secret = new_secret
        self._count_max = count_max
        self._idle_seconds_max = idle_seconds_max
        self._by_digest: OrderedDict[str, Session] = OrderedDict()

    def begin(self, token: str) -> str:
        """Begin a session for a token; give its secret."""
        self._forget_unused()
        while len(self._by_digest) >= self._count_max:
            self._by_digest.popitem(last=False)
        secret = self._new_secret()
        self._by_digest[_digest(secret)] = Session(token=token, used_at=self._clock())
        return secret

    def find(self, secret: str) -> Session | None:
        """Give the session of a secret, which is used by that; None: there is none.

        Raises:
            Unauthenticated: The server knows its token no more; as it said.
        """
        self._forget_unused()
        digest = _digest(secret)
        session = self._by_digest.get(digest)
        if session is None:
            return None
        self._by_digest.move_to_end(digest)
        session.used_at = self._clock()
        if session.ended is not None:
            raise session.ended
        return session

    def is_known(self, secret: str) -> bool:
        """Say whether there is a session of a secret, without using it."""
        return _digest(secret) in self._by_digest

    def end(self, secret: str) -> None:
        """End a session, as its owner wants. Idempotent."""
        self._by_digest.pop(_digest(secret), None)

    def refuse(self, secret: str, why: Unauthenticated) -> None:
        """Note that the server refuses the token: it is forgotten, and whoever asks learns why."""
        session = self._by_digest.get(_digest(secret))
        if session is not None and session.ended is None:
            session.token, session.ended = "", why

    def _forget_unused(self) -> None:
        oldest = self._clock() - self._idle_seconds_max
        while self._by_digest:
            digest, session = next(iter(self._by_digest.items()))
            if session.used_at > oldest:
                return
            del self._by_digest[digest]


def _digest(secret: str) -> str:
    """Give what a secret is looked up by: how long that takes tells nothing of the secret."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
