# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from types import MappingProxyType
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from tabard_registry import Adapter, AdapterName
from tabard_registry.checkpoint.codec import lines_of
from tabard_registry.checkpoint.packed import PackedLines
from tabard_registry.state import overlay
from tabard_registry.state.overlay import Lines, Overlay

NAMES = [AdapterName("acme", f"a{number}") for number in range(12)]
names = st.sampled_from(NAMES)


def line(name: AdapterName) -> Adapter:
    """An empty release line; each call makes another one."""
    return Adapter(name=name, by_version={}, by_digest={}, channels=MappingProxyType({}))


def packed(names: set[AdapterName]) -> PackedLines:
    """The lines of a checkpoint."""
    rows = [row for name in sorted(names, key=str) for row in lines_of(line(name))]
    return PackedLines(b"".join(row + b"\n" for row in rows), start=0)


@settings(max_examples=200)
@given(st.sets(names), st.lists(st.lists(names, max_size=4), max_size=8), st.integers(0, 4))
def test_overlay_is_a_mapping_of_what_was_put(
    base: set[AdapterName], folds: list[list[AdapterName]], recent_min: int
) -> None:
    """However the layers lie: the newest line of each name, in order, counted once."""
    found = Overlay(packed(base))
    model: dict[AdapterName, Adapter] = {}
    with patch.object(overlay, "_RECENT_MIN", recent_min):
        for fold in folds:
            changes, before, known = found.changes(), found, dict(model)
            for name in fold:
                model[name] = line(name)
                changes.put(model[name])
                assert changes.get(name) is model[name]
            found = changes.freeze()
            assert all(before.changed[name] is known[name] for name in known)
            assert set(before.changed) == set(known)

    wanted = sorted({*base, *model}, key=str)
    assert list(found) == [one.name for one in found.lines()] == wanted
    assert len(found) == len(wanted)
    assert dict(found.changed) == model
    assert all(found[name] is model[name] for name in model)
    assert [name for name in NAMES if name in found] == [n for n in NAMES if n in wanted]
    assert list(found.names_from("acme/a3")) == [n for n in wanted if str(n) >= "acme/a3"]


def test_small_layer_alone_is_copied() -> None:
    """A fold after very many others does not copy what they changed."""
    many = {name: line(name) for name in (AdapterName("many", f"n{i}") for i in range(5_000))}
    before = Overlay(packed(set()), old=Lines(many), added_count=len(many))
    changes = before.changes()
    changes.put(line(NAMES[0]))

    after = changes.freeze()

    assert after.recent.by_name.keys() == {NAMES[0]}
    assert len(after) == 5_001
