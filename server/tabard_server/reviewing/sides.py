# SPDX-License-Identifier: Apache-2.0
"""Which picture of a pair is A and which is B, for one voter. Pure.

In: a key that nobody outside knows, a voter, a pair. Out: a name, a place in the order, and two
pictures. All of that follows from the two pictures, the voter and the key, and never from who drew
which: had the other release drawn them, every answer would be the same to the last byte.
"""

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass

from tabard_registry.evidence.pairs import Pair
from tabard_registry.refs.digest import Digest

_HANDLE_CHARS = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """The sides of pairs, as one voter is shown them.

    Attributes:
        key: What nobody outside knows.
        voter: Who votes.
    """

    key: bytes
    voter: str

    def handle(self, pair: Pair) -> str:
        """Return what the voter calls a pair; another voter calls it otherwise."""
        return self._drawn("handle", pair)[:_HANDLE_CHARS]

    def shown(self, pair: Pair) -> tuple[Digest, Digest]:
        """Return the pictures A and B."""
        first, second = pair.pictures
        return (second, first) if int(self._drawn("side", pair)[0], 16) % 2 else (first, second)

    def in_order(self, pairs: Iterable[Pair]) -> list[Pair]:
        """Return pairs in the voter's own order."""
        return sorted(pairs, key=lambda pair: self._drawn("order", pair))

    def find(self, pairs: Iterable[Pair], handle: str) -> Pair | None:
        """Return the pair that the voter calls so."""
        return next((one for one in pairs if self.handle(one) == handle), None)

    def _drawn(self, what: str, pair: Pair) -> str:
        said = "\0".join((what, pair.name, self.voter)).encode("utf-8", "surrogatepass")
        return hmac.new(self.key, said, hashlib.sha256).hexdigest()
