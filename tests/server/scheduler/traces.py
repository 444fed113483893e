# SPDX-License-Identifier: Apache-2.0
"""A device in miniature, for traces of the policy: rows come, begin, step and end, turn by turn."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from random import Random

from tabard_server.engine_port.drawing import Size
from tabard_server.scheduler.claims import Claim, Priority, Weights
from tabard_server.scheduler.fair_queue import FairQueue
from tabard_server.scheduler.policy import choose
from tabard_server.scheduler.shares import Shares
from tabard_server.scheduler.snapshot import (
    Choice,
    RowKey,
    RunningRow,
    Snapshot,
    Waiting,
    WaitingRow,
)

SLOTS = 6
STEPS_MAX = 6
SECONDS: dict[Size, float] = {(8, 8): 1.0, (16, 16): 3.0}


@dataclass(frozen=True, kw_only=True)
class Row:
    """An image: so many steps of a size, and the slots it takes."""

    key: RowKey
    claim: Claim
    size: Size
    steps: int
    slots: int = 0

    @property
    def kind(self) -> Size:
        """What tells it apart from others of its tenant."""
        return self.size


def queued(*rows: WaitingRow) -> Waiting:
    """Return who waits."""
    return Waiting(
        queue=FairQueue(rows),
        stacks={row.stack for row in rows},
        steps=sum(row.steps for row in rows),
    )


@dataclass(kw_only=True)
class Device:
    """Rows that wait and run.

    Attributes:
        seconds: Of the engine, by tenant.
        begun: The turn in which each row began first.
        ended: The turn in which each row ended.
        steps: The rows of each step.
    """

    weights: Weights = field(default_factory=Weights)
    rows_per_step_max: int = 4
    running_rows_max: int = 8
    overtakes_max: int = 4
    turn: int = 0
    waiting: dict[RowKey, Row] = field(default_factory=dict)
    running: dict[RowKey, tuple[Row, int, int]] = field(default_factory=dict)
    overtaken: dict[RowKey, int] = field(default_factory=dict)
    seconds: Counter[str] = field(default_factory=Counter)
    begun: dict[RowKey, int] = field(default_factory=dict)
    ended: dict[RowKey, int] = field(default_factory=dict)
    steps: list[tuple[RowKey, ...]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._sizes: Shares[Size] = Shares()
        self._had: Shares[str] = Shares()
        self._began: Shares[str] = Shares()

    @property
    def is_empty(self) -> bool:
        """Say whether nobody waits or runs."""
        return not (self.waiting or self.running)

    def arrive(self, rows: Iterable[Row]) -> None:
        """Let rows wait."""
        self.waiting |= {row.key: row for row in rows}

    def take_turn(self) -> Choice:
        """Choose, and do what was chosen."""
        choice = self._choose()
        if choice.is_unfinished:
            choice = self._choose()
        self.overtaken |= dict(choice.overtaken)
        for key in choice.opened:
            if not self._has_slots_for(key) and not self.waiting[key].claim.is_background:
                self._evict([one for one, held in self.running.items() if _is_background(held)])
            if not self._has_slots_for(key):
                continue  # As the engine's slots have it, who came too late waits on.
            row = self.waiting.pop(key)
            self.begun.setdefault(key, self.turn)
            self.running[key] = row, row.steps, self.turn
            if not row.claim.is_background:
                amount = row.claim.work / self.weights.of(row.claim.tenant)
                self._began.note(row.claim.tenant, amount=amount)
        if batch := tuple(key for key in choice.batch if key in self.running):
            self._step(batch)
        return choice

    def _has_slots_for(self, key: RowKey) -> bool:
        return self._used + self.waiting[key].slots <= SLOTS

    @property
    def _used(self) -> int:
        return sum(row.slots for row, _left, _at in self.running.values())

    def _choose(self) -> Choice:
        self.turn += 1
        choice = choose(self._snapshot())
        self._evict(choice.evicted)
        return choice

    def _evict(self, keys: Iterable[RowKey]) -> None:
        for key in list(keys):
            row, _left, _at = self.running.pop(key)
            self.waiting[key] = row

    def _step(self, batch: tuple[RowKey, ...]) -> None:
        self.steps.append(batch)
        size = self.running[batch[0]][0].size
        served = [key for key in batch if not _is_background(self.running[key])]
        is_background = not served
        served = served or list(batch)
        each = SECONDS[size] / len(served)
        rows = Counter(self.running[key][0].claim.tenant for key in served)
        for tenant, count in rows.items():
            self.seconds[tenant] += each * count
        if not is_background:
            self._sizes.note(size, amount=SECONDS[size])
            self._had.note_together(
                {tenant: each * count / self.weights.of(tenant) for tenant, count in rows.items()}
            )
        for key in batch:
            row, left, _at = self.running.pop(key)
            if left > 1:
                self.running[key] = row, left - 1, self.turn
            else:
                self.ended[key] = self.turn

    def _snapshot(self) -> Snapshot:
        used, looked_at = self._used, list[RowKey]()

        def see(row: Row) -> WaitingRow:
            looked_at.append(row.key)
            is_alone = len(looked_at) == 1 and not self.running
            return WaitingRow(
                key=row.key,
                size=row.size,
                steps=row.steps,
                fits=used + row.slots <= SLOTS or is_alone,
                overtaken=self.overtaken.get(row.key, 0),
                claim=row.claim,
            )

        return Snapshot(
            turn=self.turn,
            waiting=Waiting(queue=FairQueue(self.waiting.values()), see=see),
            running=tuple(
                RunningRow(key=key, size=row.size, stepped_at=at, steps_left=left, claim=row.claim)
                for key, (row, left, at) in self.running.items()
            ),
            rows_per_step_max=self.rows_per_step_max,
            running_rows_max=self.running_rows_max,
            overtakes_max=self.overtakes_max,
            ahead=self._sizes.ahead(),
            weights=self.weights,
            tenants_ahead=self._had.ahead(),
            tenants_begun=self._began.ahead(),
        )


def _is_background(held: tuple[Row, int, int]) -> bool:
    return held[0].claim.is_background


def random_row(
    rng: Random, *, ticket: int, tenant: str, priority: Priority = Priority.NORMAL, slots: int = 0
) -> Row:
    """Return a row of any size and length."""
    size, steps = rng.choice(list(SECONDS)), rng.randint(1, STEPS_MAX)
    claim = Claim(tenant=tenant, priority=priority, work=steps * SECONDS[size])
    return Row(key=(ticket, 0), claim=claim, size=size, steps=steps, slots=slots)


def as_background(row: Row, *, priority: Priority = Priority.BACKGROUND) -> Row:
    """Return the same row, below all others."""
    return replace(row, claim=replace(row.claim, priority=priority))
