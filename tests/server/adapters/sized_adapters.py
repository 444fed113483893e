# SPDX-License-Identifier: Apache-2.0
"""Adapters that are nothing but a size, and how they are loaded."""

import threading
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class SizedAdapter:
    """Something with a size."""

    name: str
    resident_bytes: int = 10


class SizedLoader:
    """Loads them, counts loads, and can hold them up or break."""

    def __init__(self) -> None:
        self.loads: list[str] = []
        self.gate = threading.Event()
        self.gate.set()
        self.errors: list[Exception] = []

    def __call__(self, digest: str) -> SizedAdapter:
        self.loads.append(digest)
        assert self.gate.wait(timeout=30)
        if self.errors:
            raise self.errors.pop(0)
        return SizedAdapter(name=digest)
