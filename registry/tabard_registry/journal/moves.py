# SPDX-License-Identifier: Apache-2.0
"""What an act moved: from the record that holds it to the answer that its caller gets. Pure."""

from __future__ import annotations

from tabard_registry.journal.group_commit import Landed
from tabard_registry.refs.digest import Digest
from tabard_registry.refs.names import AdapterName
from tabard_registry.release.release import ChannelMove
from tabard_registry.state.state import State


def describe_move(
    state: State, landed: Landed | None, *, adapter: AdapterName, channel: str
) -> ChannelMove:
    """Say what an act moved, or that nothing had to move (None)."""
    line = state.adapter(adapter)
    if landed is None:
        pointer = line.channels[channel]
        current = line.by_digest[pointer.digest]
        return ChannelMove(
            adapter=adapter,
            channel=channel,
            previous=current,
            current=current,
            seq=pointer.seq,
            moved=False,
        )
    previous = landed.effect.previous_digest
    return ChannelMove(
        adapter=adapter,
        channel=channel,
        previous=line.by_digest[previous] if previous else None,
        current=line.by_digest[Digest.parse(landed.action.digest)],
        seq=landed.seq,
        moved=True,
    )
