# SPDX-License-Identifier: Apache-2.0
"""Group commit: acts of several callers, planned one after another, into one record. Pure.

Each act is planned against the state as the acts before it in the record leave it. What is said to
the callers holds only once the record holds its slot; a lost slot plans everything anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from tabard_registry.acts import Act, Author, Landed, check_permitted
from tabard_registry.errors import InvalidField, NotFound, RegistryError
from tabard_registry.log.records import ACTIONS_MAX, RECORD_BYTES_MAX, Action, Record
from tabard_registry.release.manifest import canonical_json
from tabard_registry.state.fold import fold
from tabard_registry.state.sight import seen_by
from tabard_registry.state.state import State

_ENVELOPE_BYTES = 16 << 10


@dataclass(slots=True, kw_only=True, eq=False)
class WaitingAct:
    """One caller's act on its way into the log.

    Attributes:
        act: What is wanted.
        author: By whom, and why.
        is_answered: Whether `landed` and `error` say what came of it.
        landed: Where it is; None when nothing had to be written.
        error: Why it cannot be.
    """

    act: Act[object]
    author: Author
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
        idle: Acts that change nothing: it is so already.
        refused: Acts that cannot be, and why.
        postponed: Acts for the next record.
    """

    actions: list[Action] = field(default_factory=list)
    owners: list[WaitingAct] = field(default_factory=list)
    idle: list[WaitingAct] = field(default_factory=list)
    refused: list[tuple[WaitingAct, RegistryError]] = field(default_factory=list)
    postponed: list[WaitingAct] = field(default_factory=list)


def plan_group(waiting: Sequence[WaitingAct], *, state: State) -> Group:
    """Plan as many acts as one record takes, in their order."""
    group = Group()
    left_bytes = RECORD_BYTES_MAX - _ENVELOPE_BYTES
    for position, one in enumerate(waiting):
        try:
            action = _plan(one, state=state)
            size_bytes = _size_bytes(action)
        except RegistryError as error:
            group.refused.append((one, error))
            continue
        if action is None:
            group.idle.append(one)
            continue
        left_bytes -= size_bytes
        if group.actions and (left_bytes < 0 or len(group.actions) == ACTIONS_MAX):
            group.postponed.extend(waiting[position:])
            break
        group.actions.append(action)
        group.owners.append(one)
        if position + 1 < len(waiting):
            state = _with(state, action)
    return group


def _plan(one: WaitingAct, *, state: State) -> Action | None:
    author = one.author
    try:
        plan = one.act.plan(state)
    except NotFound:
        # Said again of what the author sees, so that no hint names what is hidden from them.
        one.act.plan(seen_by(state, author.grants))
        raise
    if plan.action is None:
        return None
    action = replace(
        plan.action,
        actor=author.actor,
        reason=author.reason,
        request_id=author.request_id,
        on_behalf_of=author.on_behalf_of,
        proof=author.proof,
        expect=plan.expect,
    )
    check_permitted(state, action, grants=author.grants)
    return action


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
