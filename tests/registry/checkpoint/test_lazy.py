# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given, settings

from tabard_registry import AdapterName, State, Version
from tests.registry.checkpoint.kept_states import INK, OIL, kept
from tests.registry.described_logs import logs, noted_publication, odd_described_actions
from tests.registry.random_logs import EMPTY, folded


@settings(max_examples=150)
@given(logs(odd_described_actions))
def test_lazy_state_equals_the_folded_one(log: list[list[Any]]) -> None:
    """Whatever happened: every field of every release, channel and event is there again."""
    state, _ = folded(log)

    _, read = kept(state)

    for name in (field.name for field in fields(State)):
        assert getattr(read, name) == getattr(state, name), name
    assert list(read.names()) == list(state.names()) == sorted(state.names(), key=str)
    for line, lazy in zip(state.adapters.lines(), read.adapters.lines(), strict=True):
        assert lazy == line
        assert lazy.releases == line.releases
        assert list(lazy.by_digest.values()) == sorted(
            line.by_digest.values(), key=lambda release: (release.seq, release.version)
        )
        assert lazy.events == line.events and line.events == tuple(lazy.events)


def test_absent_things_are_absent() -> None:
    """Names, versions and digests that a lazy line does not have."""
    _, read = kept(folded([[noted_publication((INK, "1.0.0"), {})]])[0])
    line = read.adapters[INK]

    assert OIL not in read.adapters and AdapterName("zz", "z") not in read.adapters
    assert Version.parse("9.9.9") not in line.by_version
    with pytest.raises(KeyError):
        line.by_version[Version.parse("9.9.9")]
    with pytest.raises(KeyError):
        line.by_digest[EMPTY.head]
    assert EMPTY.head not in line.by_digest
    assert list(read.adapters.names_with("f" * 64)) == []
