# SPDX-License-Identifier: Apache-2.0
"""What callers asked of a registry, what they were told, and in which order. Threads share it."""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from dataclasses import dataclass, replace
from typing import Literal

Outcome = Literal["open", "acknowledged", "unchanged", "refused", "given up"]


@dataclass(slots=True, kw_only=True)
class Asked:
    """One act under one request id, however often it was sent.

    Attributes:
        request_id: Its key.
        type: `publish`, `promote`, `rollback`, `yank`, …, as the log has it.
        adapter: The line.
        channel: The channel, for a move.
        begun_at: Its place in the order of everything that callers saw.
        outcome: What its caller knows; `unchanged`: it was so already, and nothing was written.
        ended_at: The place of the answer in that order.
        version: The release, as the answer has it.
        digest: Its digest.
        previous_digest: Where the channel was before, as the answer has it.
        sendings: How often it was sent.
        reason: Why it was refused.
    """

    request_id: str
    type: str
    adapter: str
    channel: str = ""
    begun_at: int
    outcome: Outcome = "open"
    ended_at: int = -1
    version: str = ""
    digest: str = ""
    previous_digest: str = ""
    sendings: int = 0
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.request_id} ({self.type} of {self.adapter}@{self.channel or self.version})"


class Notes:
    """Everything that was asked, and what a caller found wrong in an answer."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._order = itertools.count()
        self._asked: list[Asked] = []
        self.wrong: list[str] = []

    def begin(self, request_id: str, *, type: str, adapter: str, channel: str = "") -> Asked:
        """Note that something is about to be asked."""
        with self._lock:
            asked = Asked(
                request_id=request_id,
                type=type,
                adapter=adapter,
                channel=channel,
                begun_at=next(self._order),
            )
            self._asked.append(asked)
        return asked

    def end(self, asked: Asked, outcome: Outcome) -> None:
        """Note that no more will be heard of it; the answer's fields are in it by now."""
        with self._lock:
            asked.outcome, asked.ended_at = outcome, next(self._order)

    def seen(self) -> list[Asked]:
        """Give what is known now, as values that stay so."""
        with self._lock:
            return [replace(asked) for asked in self._asked]

    @property
    def acknowledged_count(self) -> int:
        """How many acts were acknowledged so far."""
        return sum(asked.outcome == "acknowledged" for asked in self.seen())


def figures(seen: list[Asked]) -> str:
    """Tell how many there were of each outcome, and of each type that was acknowledged."""
    outcomes = Counter(asked.outcome for asked in seen)
    types = Counter(asked.type for asked in seen if asked.outcome == "acknowledged")
    again = sum(asked.sendings > 1 for asked in seen if asked.outcome == "acknowledged")
    return f"{dict(outcomes)}; acknowledged {dict(types)}, {again} of them sent more than once"
