# SPDX-License-Identifier: Apache-2.0
"""What an act is: a plan for any state that it meets, and a way to know itself again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tabard_registry.log.records import Action
from tabard_registry.release.release import Release
from tabard_registry.state.state import State


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
class Act:
    """One wish of a caller.

    Attributes:
        plan: Makes the plan for a state, or raises why it cannot be.
        is_same: Whether an action found under the caller's request id is this act.
    """

    plan: Callable[[State], Plan]
    is_same: Callable[[Action], bool]


def action_on(kind: str, release: Release, *, channel: str = "") -> Action:
    """Make an action on a release."""
    return Action(
        type=kind,
        adapter=str(release.adapter),
        digest=str(release.digest),
        version=str(release.version),
        channel=channel,
    )
