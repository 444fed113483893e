# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from tabard_registry import AdapterName, Registry, Release
from tabard_registry.checkpoint.codec import PLAIN, RARE, lines_of, release_of
from tests.registry.checkpoint.kept_states import INK, kept
from tests.registry.described_logs import (
    KEYS,
    RECIPE,
    logs,
    noted_publication,
    odd_described_actions,
    signature,
)
from tests.registry.fakes import publish
from tests.registry.random_logs import act, folded


def test_everything_a_release_can_have_is_kept() -> None:
    """Signatures, tokens, members, standings: nothing of it is an exception to the rule."""
    place = (INK, "1.0.0")
    extra = {"tokens": [["<ink>", "text_encoder", 2]], "training": {"seed": "7"}}
    extra |= {"sampling": {"samplers": ["lcm"], "clip_skip": 0}}
    acts = [act(kind, place, "") for kind in ("yank", "quarantine", "purge")]
    acts.append({**act("edit", place, ""), "summary": {"notes": "new", "trigger_words": ["x"]}})
    state, _ = folded([[KEYS, noted_publication(place, extra), signature(place)], [RECIPE], acts])

    _, read = kept(state)

    [recipe] = read.adapters[AdapterName("acme", "mix")].releases
    [release] = read.adapters[INK].releases
    assert recipe.members and recipe.canonical is None
    assert release.signatures and release.tokens and release.training == {"seed": "7"}
    assert release.sampling.to_json() == {"samplers": ["lcm"], "clip_skip": 0}
    assert (release.yanked, release.quarantined, release.purged) == (True, True, True)
    assert (release.notes, release.trigger_words) == ("new", ("x",))
    assert release.published_words is not None and release.published_words.notes != "new"
    assert read == state


@given(logs(odd_described_actions))
def test_lines_are_head_releases_and_events(log: list[list[Any]]) -> None:
    """Only a head begins like one; none of them holds a line end."""
    state, _ = folded(log)

    for line in state.adapters.lines():
        lines = list(lines_of(line))
        assert len(lines) == len(line.by_digest) + 2
        assert [one.startswith(b'["') for one in lines] == [True] + [False] * (len(lines) - 1)
        assert not any(b"\n" in one for one in lines)


def test_release_of_fields_is_the_same(registry: Registry, tmp_path: Path) -> None:
    """A release that is made of its fields equals the one they are of; none may be left out."""
    release = publish(registry, "1.0.0", folder=tmp_path).release
    plain, rare = ([getattr(release, name) for name in names] for names in (PLAIN, RARE))

    assert release_of(plain, rare) == release

    assert sorted(PLAIN + RARE) == sorted(one.name for one in fields(Release))
    with pytest.raises(ValueError, match="shorter"):
        release_of(plain, rare[:-1])
