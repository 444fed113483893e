# SPDX-License-Identifier: Apache-2.0
"""Prompts that were encoded lately, by a digest of all that shapes them; bounded in bytes.

In: what was encoded. Out: the same tensors again, bit for bit. A key says the prompts, the settings
and the digests and weights of the stack, so nothing that changes can be found by an old one. One
thread. Knows neither prompts nor encoders.
"""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

from tabard_server.engine.text.conditioning import Conditioning
from tabard_server.engine_port.costs import TextCounts


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    """One encoding, and the releases that it was encoded in."""

    conditioning: Conditioning
    digests: frozenset[str]

    @property
    def bytes(self) -> int:
        """What it takes on the device."""
        pooled = self.conditioning.pooled
        return self.conditioning.text.nbytes + (0 if pooled is None else pooled.nbytes)


class KeptTexts:
    """Encodings on the device, those that were used longest ago leaving first."""

    def __init__(self, *, bytes_max: int) -> None:
        """Take how many bytes may stay; rows that are being opened may have more."""
        self._bytes_max = bytes_max
        self._kept: OrderedDict[bytes, _Kept] = OrderedDict()
        self._bytes = self._found = self._encoded = 0

    @property
    def counts(self) -> TextCounts:
        """How often something was found and not found, and what is kept now."""
        return TextCounts(found=self._found, encoded=self._encoded, bytes=self._bytes)

    def find(self, key: bytes) -> Conditioning | None:
        """Return what was encoded under a key."""
        found = self._kept.get(key)
        if found is None:
            return None
        self._kept.move_to_end(key)
        self._found += 1
        return found.conditioning

    def keep(self, key: bytes, conditioning: Conditioning, *, digests: Iterable[str]) -> None:
        """Keep an encoding, until `trim` at least.

        Args:
            key: Of all that shaped it.
            conditioning: What came of it.
            digests: Releases that were worn.
        """
        self._drop(key)
        kept = _Kept(conditioning=conditioning, digests=frozenset(digests))
        self._kept[key] = kept
        self._bytes += kept.bytes
        self._encoded += 1

    def trim(self) -> None:
        """Go back to the bound: whoever opens together shares its texts whatever that is."""
        while self._bytes > self._bytes_max:
            self._drop(next(iter(self._kept)))

    def forget(self, digest: str) -> None:
        """Drop what was encoded in a release that is withdrawn."""
        for key in [key for key, kept in self._kept.items() if digest in kept.digests]:
            self._drop(key)

    def clear(self) -> None:
        """Drop everything: it can be encoded again."""
        self._kept.clear()
        self._bytes = 0

    def _drop(self, key: bytes) -> None:
        kept = self._kept.pop(key, None)
        if kept is not None:
            self._bytes -= kept.bytes
