# SPDX-License-Identifier: Apache-2.0
"""What an act is: a plan for any state that it meets, a way to know itself, and an answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from tabard_registry.acts.author import Author
from tabard_registry.errors import InvalidField
from tabard_registry.log.records import Action, Effect
from tabard_registry.release.release import Release
from tabard_registry.state.state import State

Answer_co = TypeVar("Answer_co", covariant=True)
Subject = TypeVar("Subject")
Subject_co = TypeVar("Subject_co", covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What one action shall say.

    Attributes:
        action: The act, or None when the state is as wanted already.
        expect: What the act relies on.
    """

    action: Action | None
    expect: Mapping[str, str | None] = field(default_factory=dict)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Acted(Generic[Subject_co]):
    """The answer to an act on one thing.

    Attributes:
        subject: The release, key or policy as it is now.
        changed: False when it was so already: nothing was written, and no reason was kept.
    """

    subject: Subject_co
    changed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Act(Generic[Answer_co]):
    """One thing that a caller wants done.

    Attributes:
        plan: Makes the plan for a state, or raises why it cannot be.
        is_same: Whether an action found under the caller's request id is this act.
        answer: From the state after it, and where it is, to what its caller is told; None when
            nothing had to be written.
        reasoned: What it is called where it must have a reason, like `a purge`; empty: it need not.
    """

    plan: Callable[[State], Plan]
    is_same: Callable[[Action], bool]
    answer: Callable[[State, Landed | None], Answer_co]
    reasoned: str = ""

    def check(self, author: Author) -> None:
        """Refuse an author who does not say why, if this act needs a reason.

        Raises:
            InvalidField: It does, and there is none.
        """
        if self.reasoned and not author.reason.strip():
            raise InvalidField(
                f"{self.reasoned} needs a reason",
                reason="FIELD_REQUIRED",
                hint="Say why, for those who read the history later.",
            )


def acted(find: Callable[[State], Subject]) -> Callable[[State, Landed | None], Acted[Subject]]:
    """Make the answer of an act on what is found in the state after it."""
    return lambda state, landed: Acted(subject=find(state), changed=landed is not None)


def action_on(kind: str, release: Release, *, channel: str = "") -> Action:
    """Make an action on a release."""
    return Action(
        type=kind,
        adapter=str(release.adapter),
        digest=str(release.digest),
        version=str(release.version),
        channel=channel,
    )
