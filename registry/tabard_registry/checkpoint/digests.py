# SPDX-License-Identifier: Apache-2.0
"""Digests that are written one after the other, without a scheme and without gaps.

They are checked all at once: a check of each would be most of what reading a release costs.
"""

from __future__ import annotations

from tabard_registry.refs.digest import Digest

HEX_DIGITS = 64
"""Length of one."""

# The slot of a frozen class: an instance is made without asking whether what was checked is valid.
_set_hex = vars(Digest)["hex"].__set__
_copy = Digest("0" * HEX_DIGITS).__copy__  # type: ignore[attr-defined]  # unknown to its stubs


def check_digits(digits: str) -> str:
    """Return the digits of whole digests.

    Raises:
        ValueError: They are anything else.
    """
    if len(digits) % HEX_DIGITS or bytes.fromhex(digits).hex() != digits:
        raise ValueError("not whole digests in lower-case hexadecimal digits")
    return digits


def digest_in(digits: str, index: int) -> Digest:
    """Return one of the digests in checked digits."""
    found: Digest = _copy()
    _set_hex(found, digits[HEX_DIGITS * index : HEX_DIGITS * (index + 1)])
    return found


def read_digests(digits: str) -> tuple[Digest, ...]:
    """Check digits and return the digests in them; raises what `check_digits` raises."""
    count = len(check_digits(digits)) // HEX_DIGITS
    return tuple([digest_in(digits, index) for index in range(count)])


def write_digests(digests: tuple[Digest, ...]) -> str:
    """Write digests one after the other."""
    return "".join([digest.hex for digest in digests])


class Texts:
    """A table of texts while it grows. One thread."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    @property
    def found(self) -> list[str]:
        """The texts, by number."""
        return list(self._numbers)

    def number(self, text: str) -> int:
        """Return the number of a text."""
        return self._numbers.setdefault(text, len(self._numbers))
