# SPDX-License-Identifier: Apache-2.0
"""What a request says to a proxy: which stack it wears, and which base it needs. Hints, no more.

In: refs, a prompt, fingerprints. Out: metadata by which something in front of several servers keeps
a stack together and finds a base. A server reads none of it: whoever forges it chooses a replica.
"""

from __future__ import annotations

import hashlib
import re
from collections import OrderedDict
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tabard.errors import TabardError

STACK_METADATA = "tabard-stack"
"""The key under which a request says its stack."""
BASE_METADATA = "tabard-base"
"""The key under which it says its base."""
OTHER_BASE_REASONS = frozenset({"BASE_FAMILY_MISMATCH", "BASE_MISMATCH", "BASE_NOT_HERE"})
"""Reasons with which a server says that it has another base than the one that is needed."""

_STACK_DIGITS = 16
_BASE_DIGITS = 12
_KNOWN_MAX = 4_096
_DEFAULT_CHANNEL = "@stable"
_FINGERPRINT = re.compile(r"(?:sha256:)?([0-9a-f]{12,64})")

# A weight follows the first colon, but the colon of `sha256:<hex>` is not one.
_REF = re.compile(r"[^:@]*(?:@(?:sha256:)?[^:]*)?")
_IN_PROMPT = re.compile(r"<lora:([^:<>]+(?:@sha256:[0-9a-f]+)?)|\bembedding:([\w-]+/[\w.-]+)")


def stack_hash(refs: Iterable[str], *, prompt: str = "") -> str:
    """Give the hash of a stack: of its sorted refs without weights, those of the prompt's tags too.

    Args:
        refs: As a request says them: `acme/ink`, `acme/ink@1.2.0:0.8`, in any order.
        prompt: Its prompt, for `<lora:acme/ink:0.8>` and `embedding:acme/ink`.

    Returns:
        16 hexadecimal digits; empty for no stack.
    """
    tags = (one or other for one, other in _IN_PROMPT.findall(prompt))
    names = {_named(ref) for ref in (*refs, *tags)}
    if not names:
        return ""
    text = "\n".join(sorted(names)).encode("utf-8", "surrogatepass")
    return hashlib.sha256(text).hexdigest()[:_STACK_DIGITS]


def base_hint(fingerprint: str) -> str:
    """Give the first 12 digits of a base's fingerprint, by which a proxy knows it.

    Empty: that is none, and nothing is said of it.
    """
    found = _FINGERPRINT.fullmatch(fingerprint.strip())
    return found[1][:_BASE_DIGITS] if found else ""


def split_weight(ref: str) -> tuple[str, str]:
    """Give a ref without what stands behind it, and that: mostly a weight; empty: nothing."""
    text = ref.strip()
    found = _REF.match(text)
    end = found.end() if found else 0
    return text[:end], text[end + 1 :]


class KnownBases:
    """Which base each ref needs, as far as servers said so. Bounded; for any thread."""

    def __init__(self) -> None:
        self._bases: OrderedDict[str, str] = OrderedDict()

    def note(self, ref: str, fingerprint: str) -> None:
        """Keep what a server said: the release that a ref means was made for this base."""
        hint = base_hint(fingerprint)
        if not hint:
            return
        self._bases[_named(ref)] = hint
        self._bases.move_to_end(_named(ref))
        while len(self._bases) > _KNOWN_MAX:
            self._bases.popitem(last=False)

    def of(self, refs: Iterable[str], *, prompt: str = "") -> str:
        """Give the hint of the base that a stack needs; empty: nobody said, or several."""
        tags = (one or other for one, other in _IN_PROMPT.findall(prompt))
        found = {self._bases.get(_named(ref), "") for ref in (*refs, *tags)} - {""}
        return found.pop() if len(found) == 1 else ""


def is_of_another_base(failure: TabardError) -> bool:
    """Say whether a server refused because its base is another one."""
    return failure.reason in OTHER_BASE_REASONS


def _named(ref: str) -> str:
    return split_weight(ref)[0].removesuffix(_DEFAULT_CHANNEL)
