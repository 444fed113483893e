# SPDX-License-Identifier: Apache-2.0
"""What would notice if a release were withdrawn: channels that point to it, recipes that wear it.

Pure; running jobs are the server's to know.
"""

from __future__ import annotations

from dataclasses import dataclass

from tabard_registry.release.release import Release
from tabard_registry.state.state import State


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependents:
    """What depends on a release.

    Attributes:
        channels: Channels of its line that point to it, by name.
        recipes: Releases that are locked to it, by name and version; purged ones are not.
    """

    channels: tuple[str, ...]
    recipes: tuple[Release, ...]


def dependents_of(state: State, release: Release) -> Dependents:
    """Find what depends on a release; looks only at lines that mention it."""
    recipes = {
        str(other): other
        for name in state.adapters.names_with(release.digest.hex)
        for other in state.adapters[name].by_version.values()
        if not other.purged and any(member.digest == release.digest for member in other.members)
    }
    return Dependents(
        channels=channels_to(state, release),
        recipes=tuple(sorted(recipes.values(), key=lambda one: (str(one.adapter), one.version))),
    )


def channels_to(state: State, release: Release) -> tuple[str, ...]:
    """Name the channels that point to a release."""
    line = state.adapter(release.adapter)
    return tuple(sorted(one.name for one in line.channels.values() if one.digest == release.digest))
