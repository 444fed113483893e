# SPDX-License-Identifier: Apache-2.0
"""Adapters that are nothing but a size, and how they are loaded."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class SizedAdapter:
    """Something with a size."""

    name: str
    resident_bytes: int = 10


class SizedLoader:
    """Loads them, counts loads, and can hold them up or break."""

    def __init__(self, sizes: Mapping[str, int] | None = None) -> None:
        self.loads: list[str] = []
        self.gate = threading.Event()
        self.gate.set()
        self.gates: dict[str, threading.Event] = {}
        self.errors: list[Exception] = []
        self._sizes = sizes or {}

    def hold(self, digest: str) -> threading.Event:
        """Hold loads of one digest until the returned event is set."""
        return self.gates.setdefault(digest, threading.Event())

    def __call__(self, digest: str) -> SizedAdapter:
        self.loads.append(digest)
        assert self.gates.get(digest, self.gate).wait(timeout=30)
        if self.errors:
            raise self.errors.pop(0)
        return SizedAdapter(name=digest, resident_bytes=self._sizes.get(digest, 10))
