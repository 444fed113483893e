# SPDX-License-Identifier: Apache-2.0
"""The engine's own step on a device that computes nothing: it never waits for what that has made.

Every sampler in every mode: a first step, one of the same rows, one that some have left, one that
another has joined. Then all of them to their ends, whatever a model might say.
"""

from collections.abc import Sequence

import pytest
import torch

from tabard_server.engine.merged import merged_copy
from tabard_server.engine.sampling.noise_ahead import NoiseAhead
from tabard_server.engine.sampling.pass_courses import PassCourses
from tabard_server.engine_port.row_spec import RowSpec
from tests.server.drawings import row_spec
from tests.server.engine.rehearsal.device_rules import DeviceRules, Waits
from tests.server.engine.rehearsal.stages import FREE, STEPS, WAITING, Stage, any_row, new_stage


@pytest.fixture(scope="module", params=["sd1", "sdxl"])
def stage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """One family with one text encoder, and the one that is told of sizes."""
    family: str = request.param
    return new_stage(tmp_path_factory.mktemp(family), family=family)


@pytest.fixture
def rules(monkeypatch: pytest.MonkeyPatch) -> DeviceRules:
    return DeviceRules(monkeypatch)


def rehearse(
    stage: Stage, rules: DeviceRules, specs: Sequence[RowSpec], *, is_merged: bool = False
) -> None:
    """Step rows under the rules; the first leaves early, and another like it joins."""
    rows = stage.open(*specs)
    late = stage.open(specs[0])
    if is_merged:
        _merge(stage, specs[0])
    for batch in (rows, rows, rows[1:], rows[1:] + late):
        with rules:
            stage.engine.step(batch, is_merged=is_merged)
    assert [row.steps_done for row in (*rows, *late)] == [2, *[4] * (len(rows) - 1), 1]
    assert not any(row.failure for row in rows)
    assert rules.calls > 1_000 and rules.sent
    stage.close([*rows, *late])


def _merge(stage: Stage, spec: RowSpec) -> None:
    """Merge a stack; whoever does reads back whether it came to numbers, once a merge."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(merged_copy, "first_not_finite", lambda *_args, **_named: -1)
        stage.engine._denoiser._merge(spec)


def test_rows_in_slots_wait_for_nothing(stage: Stage, rules: DeviceRules) -> None:
    """Each in a stack of its own, walking its own way."""
    one, two = stage.adapters
    worn = [((one, 0.8),), ((one, 0.5), (two, 1.0)), ((two, -0.4),)]
    rehearse(
        stage,
        rules,
        [
            row_spec(stack=worn[number % 3], sampler=sampler, steps=STEPS)
            for number, sampler in enumerate(FREE)
        ],
    )


def test_merged_rows_wait_for_nothing(stage: Stage, rules: DeviceRules) -> None:
    """All in one stack, on the copy."""
    stack = ((stage.adapters[0], 0.8),)
    specs = [row_spec(stack=stack, sampler=sampler, steps=STEPS) for sampler in FREE]
    rehearse(stage, rules, specs, is_merged=True)


def test_mixed_rows_wait_for_nothing(stage: Stage, rules: DeviceRules) -> None:
    """Guided and not, bare and worn, long prompts, masks, regions and curves, in one batch."""
    rehearse(stage, rules, [any_row(stage, *numbered) for numbered in enumerate(FREE)])


def test_samplers_walk_to_their_ends(stage: Stage, rules: DeviceRules) -> None:
    """Each beside all others, whatever the model says; who is done leaves."""
    rows = stage.open(*(any_row(stage, number, sampler) for number, sampler in enumerate(FREE)))
    ahead = NoiseAhead()
    while pending := [row for row in rows if not row.is_done]:
        with rules, torch.inference_mode():
            courses = PassCourses([row.course for row in pending], ahead=ahead)
            shown, told = courses.model_input(), courses.timesteps()
            assert len(shown) == len(told) == sum(row.samples for row in pending)
            courses.advance_tables(torch.zeros_like(shown))
    stage.close(rows)


@pytest.mark.parametrize("sampler", WAITING)
def test_what_waits_is_known(stage: Stage, rules: DeviceRules, sampler: str) -> None:
    """Who is excused above does wait; one that does so no more is excused no more."""
    if sampler not in stage.engine.facts.samplers:
        pytest.skip("torchsde is not installed")
    rows = stage.open(row_spec(sampler=sampler, steps=STEPS))

    with rules, pytest.raises((Waits, NotImplementedError)):
        stage.engine.step(rows)
    stage.close(rows)
