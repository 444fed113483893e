# SPDX-License-Identifier: Apache-2.0
"""The fold takes anything, in any portions; channels are what an independent model says."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tabard_registry import Record
from tabard_registry.checkpoint import Checkpoints
from tabard_registry.errors import CorruptRegistry, UnusableRegistry
from tabard_registry.log.records import ACTIONS_MAX, TOKEN
from tabard_registry.state.fold import effects_of, fold
from tests.registry.fakes import MemoryStore
from tests.registry.random_logs import (
    CHANNELS,
    DIGESTS,
    EMPTY,
    GENESIS,
    LINES,
    VERSIONS,
    act,
    any_actions,
    documents,
    folded,
    json_values,
    publication,
    requested_actions,
    written,
)
from tests.simulation.promises.plain_state import to_plain


@given(st.binary(max_size=300) | json_values.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_a_record_or_refused(content: bytes) -> None:
    """Bytes are a record, or damage that is named; never another exception."""
    try:
        record = Record.from_bytes(content, key="log/1")
    except (CorruptRegistry, UnusableRegistry) as error:
        assert "log/1" in str(error)
    else:
        fold(EMPTY, [(record, GENESIS)])


@settings(max_examples=100)
@given(documents(any_actions))
def test_fold_takes_any_record(log: list[list[Any]]) -> None:
    """Whatever records hold, the fold makes one effect of each action, and says why it has none."""
    state, applied = folded(log)

    assert (state.seq, len(applied)) == (len(log), len(log))
    for record, actions in zip(applied, log, strict=True):
        assert len(record.effects) == len(actions) <= ACTIONS_MAX
        assert all(effect.effective or effect.note for effect in record.effects)


@settings(max_examples=60)
@given(documents(any_actions), st.integers(0, 8))
def test_fold_in_portions_is_fold(log: list[list[Any]], cut: int) -> None:
    """Folding in two portions comes to the state and the effects of folding at once."""
    records = written(log)
    whole, effects = fold(EMPTY, records)

    half, first = fold(EMPTY, records[:cut])
    both, second = fold(half, records[cut:])

    assert both == whole
    assert first + second == effects


@settings(max_examples=60)
@given(documents(any_actions))
def test_folding_leaves_the_state_before_as_it_was(log: list[list[Any]]) -> None:
    """A snapshot that somebody holds never changes under them."""
    records = written(log)
    half, _ = fold(EMPTY, records[: len(records) // 2])
    again, _ = fold(EMPTY, records[: len(records) // 2])

    fold(half, records[len(records) // 2 :])

    assert half == again


@settings(max_examples=60)
@given(documents(requested_actions))
def test_effects_are_told_later_as_they_were(log: list[list[Any]]) -> None:
    """What came of old acts can be told from a newer state, without folding again."""
    state, applied = folded(log)

    told = [effects_of(state, record.record) for record in applied]

    assert told == list(applied)


@settings(max_examples=60)
@given(documents(any_actions), st.integers(0, 8), st.integers(0, 8))
def test_checkpoint_and_tail_are_the_log(log: list[list[Any]], first: int, second: int) -> None:
    """A state that went through checkpoints is, to the byte, the state of the whole log."""
    records = written(log)
    checkpoints = Checkpoints(MemoryStore(), registry_id=EMPTY.registry_id)
    whole, _ = fold(EMPTY, records)
    cuts = sorted(min(cut, len(records)) for cut in (first, second))

    state, seq = EMPTY, 0
    for cut in cuts:
        state, _ = fold(state, records[seq:cut])
        state, seq = checkpoints.read(checkpoints.write(state)), cut
    state, _ = fold(state, records[seq:])

    assert to_plain(state) == to_plain(whole)
    assert checkpoints.write(state) == checkpoints.write(whole)


@settings(max_examples=100)
@given(documents(any_actions))
def test_tokens_enter_no_history(log: list[list[Any]]) -> None:
    """Whatever is tried with them, they are in the state alone; one that lives has its name."""
    state, applied = folded(log)

    entries = [*state.strays, *(one for line in state.adapters.values() for one in line.events)]
    assert not [entry for entry in entries if entry.type == TOKEN]
    live = [token.name for token in state.tokens.values() if not token.revoked]
    assert len(set(live)) == len(live)
    acted = [
        effect.effective
        for record in applied
        for action, effect in zip(record.record.actions, record.effects, strict=True)
        if action.type == TOKEN
    ]
    assert sum(acted) == sum(len(token.places) for token in state.tokens.values())


class Model:
    """Channels as a person would keep them on paper: for each, a pile of versions."""

    def __init__(self) -> None:
        self.published: set[str] = set()
        self.unfit: dict[str, set[str]] = {}
        self.piles: dict[str, list[str]] = {}
        self.served: dict[str, set[str]] = {}

    def act(self, kind: str, version: str, channel: str) -> bool:
        """Do an act; return whether it did anything."""
        if kind == "publish":
            is_new = version not in self.published
            self.published.add(version)
            return is_new
        if version not in self.published:
            return False
        if kind in ("yank", "unyank"):
            marks = self.unfit.setdefault(version, set())
            is_change = ("yank" in marks) != (kind == "yank")
            marks ^= {"yank"} if is_change else set()
            return is_change
        return self._move(kind, version, channel)

    def _move(self, kind: str, version: str, channel: str) -> bool:
        pile = self.piles.setdefault(channel, [])
        served = self.served.setdefault(channel, set())
        if self.unfit.get(version) or (pile and pile[-1] == version):
            return False
        if kind == "promote":
            pile.append(version)
        elif version not in served:
            return False
        else:
            below = pile[:-1]
            while below and below[-1] != version and version in below:
                below.pop()
            pile[:] = below if version in below else [*below, version]
        served.add(version)
        return True


model_acts = st.tuples(
    st.sampled_from(["publish", "promote", "promote", "rollback", "yank", "unyank"]),
    st.sampled_from(VERSIONS),
    st.sampled_from(CHANNELS),
)


@settings(max_examples=100)
@given(st.lists(model_acts, max_size=40))
def test_channels_follow_the_model(wanted: list[tuple[str, str, str]]) -> None:
    """Channels, piles and effects are those of an independent model."""
    model = Model()
    line = LINES[0]
    log = [
        [publication((line, version)) if kind == "publish" else act(kind, (line, version), channel)]
        for kind, version, channel in wanted
    ]

    state, applied = folded(log)

    assert [record.effects[0].effective for record in applied] == [
        model.act(*act) for act in wanted
    ]
    channels = state.adapters[line].channels if line in state.adapters else {}
    found = {name: [*channel.below, channel.digest] for name, channel in channels.items()}
    assert {name: list(map(str, pile)) for name, pile in found.items()} == {
        name: [DIGESTS[line, version] for version in pile]
        for name, pile in model.piles.items()
        if pile
    }
