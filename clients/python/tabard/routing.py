# SPDX-License-Identifier: Apache-2.0
"""What a request says to a proxy: its stack, its base, the server of its job. Hints, no more.

In: refs, a prompt, fingerprints, ids of jobs. Out: metadata by which something in front of several
servers keeps a stack together, and finds a base or a server. A server reads none of it: whoever
forges it chooses a replica.
"""

from __future__ import annotations

import hashlib
import re
from collections import OrderedDict
from collections.abc import Iterable
from threading import Lock

STACK_METADATA = "tabard-stack"
"""The key under which a request says its stack."""
BASE_METADATA = "tabard-base"
"""The key under which it says its base."""
SERVER_METADATA = "tabard-server"
"""The key under which a call about a job says which server keeps it."""

_STACK_DIGITS = 16
_BASE_DIGITS = 12
_KNOWN_MAX = 4_096
_DEFAULT_CHANNEL = "@stable"
_KEEPER = re.compile(r"([0-9a-f]{8})[0-9a-f]{32}")
_FINGERPRINT = re.compile(r"(?:sha256:)?([0-9a-f]{12,64})")

# A weight follows the first colon, but the colon of `sha256:<hex>` is not one.
_REF = re.compile(r"[^:@]*(?:@(?:sha256:)?[^:]*)?")
_IN_PROMPT = re.compile(r"<lora:([^<>]+)>|\bembedding:([\w.-]+/[\w.-]+)")


def stack_hash(refs: Iterable[str], *, prompt: str = "") -> str:
    """Give the hash of a stack: of its sorted refs without weights, those of the prompt's tags too.

    Args:
        refs: As a request says them: `acme/ink`, `acme/ink@1.2.0:0.8`, in any order.
        prompt: Its prompt, for `<lora:acme/ink:0.8>` and `embedding:acme/ink`.

    Returns:
        16 hexadecimal digits; empty for no stack.
    """
    names = _names(refs, prompt)
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
        self._lock = Lock()

    def note(self, refs: Iterable[str], fingerprint: str, *, prompt: str = "") -> None:
        """Keep what a server said: what these refs mean was made for this base."""
        hint = base_hint(fingerprint)
        if not hint:
            return
        with self._lock:
            for name in _names(refs, prompt):
                self._bases.pop(name, None)
                self._bases[name] = hint
            while len(self._bases) > _KNOWN_MAX:
                self._bases.popitem(last=False)

    def of(self, refs: Iterable[str], *, prompt: str = "") -> str:
        """Give the hint of the base that a stack needs; empty: nobody said, or several."""
        with self._lock:
            found = {self._bases.get(name, "") for name in _names(refs, prompt)} - {""}
        return found.pop() if len(found) == 1 else ""


class KnownServers:
    """Which server keeps the jobs of which ids, as far as servers said so. Bounded; any thread."""

    def __init__(self) -> None:
        self._servers: OrderedDict[str, tuple[str, str]] = OrderedDict()
        self._lock = Lock()

    def note(self, job_id: str, server: str, base: str) -> None:
        """Keep what a server said: who has this job, and all whose ids begin alike."""
        found = _KEEPER.fullmatch(job_id)
        if not found:
            return
        with self._lock:
            self._servers.pop(found[1], None)
            self._servers[found[1]] = server, base_hint(base)
            while len(self._servers) > _KNOWN_MAX:
                self._servers.popitem(last=False)

    def metadata(self, job_id: str) -> tuple[tuple[str, str], ...]:
        """Give what a call about a job says; nothing where nobody has said who keeps it."""
        found = _KEEPER.fullmatch(job_id)
        with self._lock:
            server, base = self._servers.get(found[1] if found else "", ("", ""))
        said = ((SERVER_METADATA, server), (BASE_METADATA, base))
        return tuple((key, value) for key, value in said if value)


def _names(refs: Iterable[str], prompt: str) -> set[str]:
    """Give each ref that is worn once, without its weight, those of a prompt's tags too."""
    tags = (one or other for one, other in _IN_PROMPT.findall(prompt))
    return {split_weight(ref)[0].removesuffix(_DEFAULT_CHANNEL) for ref in (*refs, *tags)}
