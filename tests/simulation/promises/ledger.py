# SPDX-License-Identifier: Apache-2.0
"""What the callers were told: every wish, and each answer to it. Judged against the log at the end.

Holds nothing that the registry could have got wrong: labels and request ids are the callers' own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tabard_registry import Manifest, Registry
from tabard_registry.acts import Act
from tabard_registry.state.state import State


@dataclass(slots=True, kw_only=True, eq=False)
class Intent:
    """One wish of one caller, who may ask for it several times if it has a request id.

    Attributes:
        label: Unique text; travels as the reason of the act.
        request_id: Unique key, or empty.
        make: Plans the act anew, as each process that is asked does; may store blobs first.
        expect: What the caller expects of channels.
        store: For a publication, stores its blobs and returns its manifest.
        afterwards: What is left to do once it is acknowledged.
        act: How it was planned the last time.
        is_fresh: Whether nothing but this wish can make it come true.
        floor: Highest acknowledged position when it was first asked for; -1 before.
        acknowledged: Positions that the answers named which said that it is done.
        is_uncertain: Whether an answer, or none, left open what came of it.
    """

    label: str
    request_id: str
    make: Callable[[Registry], Act]
    expect: Mapping[str, str | None] = field(default_factory=dict)
    store: Callable[[Registry], Manifest] | None = None
    afterwards: Callable[[Registry], None] = lambda registry: None
    act: Act | None = None
    is_fresh: bool = False
    floor: int = -1
    acknowledged: list[int] = field(default_factory=list)
    is_uncertain: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """What one process saw as the newest state at one moment."""

    owner: str
    state: State


class Ledger:
    """All wishes and sightings of a history.

    Attributes:
        intents: Every wish.
        sightings: States that processes saw.
        acknowledged_seq: Highest position that any answer has named so far.
        complaints: What was seen to be wrong while it happened.
        counts: How often each kind of thing happened.
    """

    def __init__(self) -> None:
        self.intents: list[Intent] = []
        self.sightings: list[Sighting] = []
        self.acknowledged_seq = 0
        self.complaints: list[str] = []
        self.counts: Counter[str] = Counter()

    def open(self, intent: Intent) -> None:
        """Note that a wish is about to be asked for, once more or for the first time."""
        if intent.floor < 0:
            intent.floor = self.acknowledged_seq
            self.intents.append(intent)

    def acknowledge(self, intent: Intent, *, seq: int) -> None:
        """Note an answer that said: it is done, there."""
        intent.acknowledged.append(seq)
        self.acknowledged_seq = max(self.acknowledged_seq, seq)

    def leave_unchanged(self, intent: Intent) -> None:
        """Note an answer that said: it was so already."""
        if intent.is_fresh and not (intent.is_uncertain or intent.acknowledged):
            self.complaints.append(f"{intent.label}: was told that it was so before it was asked")

    def see(self, owner: str, state: State, *, floor: int = 0) -> None:
        """Note a state that a process read, after all positions up to `floor` were acknowledged."""
        self.sightings.append(Sighting(owner=owner, state=state))
        if state.seq < floor:
            self.complaints.append(
                f"{owner} read up to {state.seq} after record {floor} was acknowledged"
            )
