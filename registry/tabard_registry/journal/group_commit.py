# SPDX-License-Identifier: Apache-2.0
"""Group commit: acts of several callers, planned one after another, into one record. Pure.

Each act is planned against the state as the acts before it in the record leave it. What is said to
the callers holds only once the record holds its slot; a lost slot plans everything anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from tabard_registry.acts import Act
from tabard_registry.errors import InvalidField, RegistryError
from tabard_registry.log.records import ACTIONS_MAX, RECORD_BYTES_MAX, Action, Effect, Record
from tabard_registry.release.manifest import canonical_json
from tabard_registry.state.fold import fold
from tabard_registry.state.state import State

ACTOR_CHARS_MAX = 200
"""Longest actor."""
REASON_CHARS_MAX = 2_000
"""Longest reason."""
REQUEST_ID_CHARS_MAX = 200
"""Longest request id."""

_ENVELOPE_BYTES = 16 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """Who wants an act, and why.

    Attributes:
        actor: Who; not empty.
        reason: Why.
        request_id: Key of the caller: the same key never acts twice. Empty: no such promise.

    Raises:
        InvalidField: The actor is missing, or a field is too long.
    """

    actor: str
    reason: str = ""
    request_id: str = ""

    def __post_init__(self) -> None:
        if not self.actor.strip():
            raise InvalidField(
                "an act needs an actor",
                reason="FIELD_REQUIRED",
                hint="Say who acts: a person, a team or a job.",
            )
        for what, text, chars_max in (
            ("the actor", self.actor, ACTOR_CHARS_MAX),
            ("the reason", self.reason, REASON_CHARS_MAX),
            ("the request id", self.request_id, REQUEST_ID_CHARS_MAX),
        ):
            if len(text) > chars_max:
                raise InvalidField(
                    f"{what} has {len(text)} characters",
                    reason="FIELD_TOO_LONG",
                    hint=f"At most {chars_max} characters.",
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class Landed:
    """An act that a record of the log holds.

    Attributes:
        seq: The record's position.
        action: What the record says.
        effect: What the fold made of it.
    """

    seq: int
    action: Action
    effect: Effect


@dataclass(slots=True, kw_only=True, eq=False)
class Petition:
    """One caller's act on its way into the log.

    Attributes:
        act: What is wanted.
        wish: By whom, and why.
        is_answered: Whether `landed` and `error` say what came of it.
        landed: Where it is; None when nothing had to be written.
        error: Why it cannot be.
    """

    act: Act
    wish: Wish
    is_answered: bool = False
    landed: Landed | None = None
    error: RegistryError | None = None

    def answer(self, landed: Landed | None = None, *, error: RegistryError | None = None) -> None:
        """Say what came of it."""
        self.landed, self.error, self.is_answered = landed, error, True


@dataclass(slots=True, kw_only=True)
class Group:
    """What one record shall hold, and what to say to whom once it does.

    Attributes:
        actions: The actions, in order.
        owners: Whose they are.
        idle: Petitions whose wish is fulfilled already.
        refused: Petitions that cannot be, and why.
        postponed: Petitions for the next record.
    """

    actions: list[Action] = field(default_factory=list)
    owners: list[Petition] = field(default_factory=list)
    idle: list[Petition] = field(default_factory=list)
    refused: list[tuple[Petition, RegistryError]] = field(default_factory=list)
    postponed: list[Petition] = field(default_factory=list)


def plan_group(petitions: Sequence[Petition], *, state: State) -> Group:
    """Plan as many acts as one record takes, in their order."""
    group = Group()
    left_bytes = RECORD_BYTES_MAX - _ENVELOPE_BYTES
    for position, petition in enumerate(petitions):
        try:
            action = _plan(petition, state=state)
            size_bytes = _size_bytes(action)
        except RegistryError as error:
            group.refused.append((petition, error))
            continue
        if action is None:
            group.idle.append(petition)
            continue
        left_bytes -= size_bytes
        if group.actions and (left_bytes < 0 or len(group.actions) == ACTIONS_MAX):
            group.postponed.extend(petitions[position:])
            break
        group.actions.append(action)
        group.owners.append(petition)
        if position + 1 < len(petitions):
            state = _with(state, action)
    return group


def _plan(petition: Petition, *, state: State) -> Action | None:
    plan = petition.act.plan(state)
    if plan.action is None:
        return None
    wish = petition.wish
    return replace(
        plan.action,
        actor=wish.actor,
        reason=wish.reason,
        request_id=wish.request_id,
        expect=plan.expect,
    )


def _size_bytes(action: Action | None) -> int:
    found = len(canonical_json(action.to_json())) if action else 0
    if found > RECORD_BYTES_MAX - _ENVELOPE_BYTES:
        raise InvalidField(
            f"an act of {found} bytes is too large for a record",
            reason="FIELD_TOO_LONG",
            hint="Shorten notes, trigger words or the reason.",
        )
    return found


def _with(state: State, action: Action) -> State:
    record = Record(seq=state.seq + 1, prev=state.head, id="planned", time="", actions=(action,))
    return fold(state, [(record, state.head)])[0]
