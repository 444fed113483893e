# SPDX-License-Identifier: Apache-2.0
"""A pinned evaluation: its cells, what is told of it, and the hash of all that it rests on."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tabard_registry import Registry, sha256_bytes
from tabard_registry.release.gates import NO_GATES, Gate
from tabard_server.evaluation.cells import Side
from tabard_server.evaluation.events import ReferenceSource
from tabard_server.evaluation.looks import Encoders
from tabard_server.evaluation.plan import Pictures, Pinned, Plan
from tabard_server.judgement.pictures.fallback import StyleFallback
from tabard_server.judgement.verdict import GatePolicy
from tests.server.evaluation.wishes.planning import ANN, pinning_in, registry_with_a_line, wish
from tests.server.releases import release

OTHERS = Pictures(digests=(sha256_bytes(b"other"),))


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    """Open a registry with a line of two releases."""
    with registry_with_a_line(tmp_path) as found:
        yield found


@pytest.fixture
def plan(registry: Registry) -> Plan:
    """Pin the newer one against the one in service."""
    return pinning_in(registry).pin(wish("acme/ink@1.1.0:0.8"))


def inputs(plan: Plan, *, encoders: Encoders | None = None, **policy: Any) -> str:
    """Return what a plan rests on."""
    return str(plan.inputs(encoders=encoders or Encoders(), policy=GatePolicy(**policy)))


def test_every_side_has_its_cells(plan: Plan) -> None:
    """The base wears nothing; each cell is one prompt and seed."""
    cell = plan.cells[0]

    started = plan.started(GatePolicy().bounds)
    assert (started.prompt_count, started.seed_count, len(plan.cells)) == (20, 4, 20 * 4)
    assert set(cell.pictures) == set(Side)
    assert cell.pictures[Side.BASE].worn.stack == ()
    assert [one.weight for one in cell.pictures[Side.CANDIDATE].worn.stack] == [0.8]
    assert set(replace(plan, against=None).cells[0].pictures) == {Side.CANDIDATE, Side.BASE}


def test_controls_are_known(plan: Plan) -> None:
    """They come last in the shipped grid, and are asked without a trigger."""
    assert plan.controls == [16, 17, 18, 19]
    assert not any("{trigger}" in prompt for prompt in plan.prompts)


def test_same_plan_has_the_same_inputs(plan: Plan, registry: Registry) -> None:
    """Whoever pins it, and whenever."""
    again = pinning_in(registry).pin(wish("acme/ink@1.1.0:0.8"))

    assert inputs(again) == inputs(plan)


def test_whatever_shapes_a_report_is_an_input(plan: Plan) -> None:
    """Weight, grid, references, training pictures, their source, place, encoders and bounds."""
    grid = replace(plan.grid, seeds=(1,))
    variants = [
        replace(plan, candidate=replace(plan.candidate, weight=1.0)),
        replace(plan, against=None),
        replace(plan, grid=grid),
        replace(plan, grid=replace(plan.grid, name="other")),
        replace(plan, sampler="euler"),
        replace(plan, references=OTHERS),
        replace(plan, training=OTHERS),
        replace(plan, source=ReferenceSource.PUBLISHED),
        replace(plan, origin=replace(plan.origin, device="cuda")),
        replace(plan, origin=replace(plan.origin, libraries={"fake": "2.0"})),
    ]
    found = [inputs(one) for one in (plan, *variants)]
    found.append(inputs(plan, drift_max=2.0))
    found.append(inputs(plan, encoders=Encoders(style=StyleFallback(digest="e" * 64))))

    assert len(set(found)) == len(found)


def test_weight_of_a_textual_inversion_is_none() -> None:
    """It has none, and is woken by its token."""
    found = Pinned(release=release(kind="textual_inversion"), weight=1.0)

    assert found.worn.weight is None
    assert Pinned(release=release(trigger_words=("ink", "wash")), weight=0.5).trigger == "ink"
    assert str(found.exact) == "acme/ink@1.0.0"


def test_recipe_is_woken_by_all_words_of_its_members() -> None:
    """With the first alone the other members would sleep, and nobody would have judged them."""
    found = Pinned(release=release(kind="recipe", trigger_words=("ink", "<wash>")), weight=1.0)

    assert (found.trigger, found.works_unnamed) == ("ink, <wash>", "")
    assert "acme/ink 1.0.0" in replace(found, unnamed_member="acme/ink 1.0.0").works_unnamed
    assert Pinned(release=release(trigger_words=()), weight=1.0).works_unnamed


def test_bounds_of_the_channel_are_told(registry: Registry) -> None:
    """Those that it puts in place of the server's; another channel is judged by the server's."""
    gates = {
        "stable": Gate(require_success=True, bounds={"style_min": 0.7, "drift_max": 1.5}),
        "st*": Gate(require_success=True, bounds={"style_min": 0.3}),
    }
    registry.set_policy("acme", channels=gates, author=ANN)
    pinning, server = pinning_in(registry), GatePolicy().bounds
    strict, free = pinning.pin(wish()), pinning.pin(wish(channel="beta"))

    assert dict(strict.started(server).asked) == {"style_min": 0.7}
    assert strict.bounds(server) == {**server, "style_min": 0.7}
    assert {one.pattern for one in strict.policies} == {"stable", "st*"}
    assert (free.started(server).channel, dict(free.started(server).asked)) == ("beta", {})
    assert (free.bounds(server), free.policies) == (server, ())
    assert inputs(replace(strict, gates=NO_GATES)) != inputs(strict)
    assert inputs(replace(strict, channel="beta")) == inputs(strict)
