# SPDX-License-Identifier: Apache-2.0
"""What releases declare of sampling: taken by silence, beyond it warned of or refused."""

from dataclasses import replace
from typing import Any

import pytest

from tabard_registry import Policy
from tabard_registry.release.sampling import Sampling, Span
from tabard_server.admission.declared import DeclaredSampling
from tabard_server.admission.walks import WalkReader
from tabard_server.engine_port.drawing import WantedDrawing
from tabard_server.engine_port.samplers import SAMPLERS, resolve_sampler
from tabard_server.errors import InvalidRequest
from tabard_server.jobs.job import Worn, WornRecipe
from tests.server.drawings import bounds_of
from tests.server.releases import PLAIN

FEW = Sampling(
    samplers=("euler",),
    steps=Span(min=1, max=8, recommended=4),
    guidance=Span(max=2, recommended=1),
    spacing="trailing",
)
STYLE = Sampling(
    samplers=("dpmpp_2m",), steps=Span(recommended=30), guidance=Span(recommended=7), clip_skip=1
)


def reader() -> DeclaredSampling:
    bounds = bounds_of()
    walks = WalkReader(
        resolve_sampler=resolve_sampler,
        samplers=tuple(SAMPLERS),
        train_timesteps=1000,
        default_sampler="ddim",
    )
    return DeclaredSampling(
        walks=walks,
        check=bounds.check_sampling,
        numbers=bounds.numbers_of,
        prediction="epsilon",
    )


def worn(sampling: Sampling, *, digit: str = "1", weight: float = 1.0) -> Worn:
    digest = type(PLAIN.digest)(digit * 64)
    return Worn(ref="x", release=replace(PLAIN, sampling=sampling, digest=digest), weight=weight)


def heed(*samplings: Sampling, **said: Any) -> tuple[WantedDrawing, list[tuple[str, str]]]:
    """Return the request as it is filled, and field and message of each warning."""
    stack = [worn(one, digit=str(number + 1)) for number, one in enumerate(samplings)]
    filled, warnings = reader().heed(WantedDrawing(prompt="x", **said), worn=stack, policies={})
    return filled, [(one.field, one.message) for one in warnings]


def refusal(*samplings: Sampling, **said: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        heed(*samplings, **said)
    assert caught.value.hint
    return caught.value


def test_stack_without_a_word_passes_as_it_is() -> None:
    """Nothing is read, and nothing copied."""
    wanted = WantedDrawing(prompt="x", sampler="nonsense")

    assert reader().heed(wanted, worn=[worn(Sampling())], policies={}) == (wanted, ())
    assert reader().heed(wanted, worn=[worn(Sampling())], policies={})[0] is wanted


def test_silence_takes_what_is_recommended() -> None:
    """All of it, and nothing is warned of."""
    filled, warnings = heed(FEW)

    assert (filled.sampler, filled.timestep_spacing) == ("euler", "trailing")
    assert (filled.steps, filled.guidance_scale, warnings) == (4, 1.0, [])


def test_what_is_said_is_never_replaced() -> None:
    """Within the bounds without a word; a zero is something said."""
    filled, warnings = heed(FEW, steps=8, guidance_scale=0.0, sampler="euler", clip_skip=0)

    assert (filled.steps, filled.guidance_scale, filled.clip_skip, warnings) == (8, 0.0, 0, [])


@pytest.mark.parametrize(
    ("said", "field", "words"),
    [
        ({"steps": 30}, "num_inference_steps", "is 30, made for 1 to 8"),
        ({"guidance_scale": 7.5}, "guidance_scale", "is 7.5, made for at most 2"),
        ({"sampler": "DPM++ 2M"}, "sampler", "is dpmpp_2m, made for euler"),
        ({"timestep_spacing": "leading"}, "timestep_spacing", "is leading, made for trailing"),
        ({"schedule": "normal"}, "timestep_spacing", "is linspace, made for trailing"),
        ({"schedule": "karras"}, "timestep_spacing", "is that of the base, made for trailing"),
    ],
)
def test_bounds_warn_or_refuse(said: dict[str, Any], field: str, words: str) -> None:
    """It is drawn as it was asked for, with a warning; or refused where its author wants that."""
    filled, warnings = heed(FEW, **said)

    assert [one[0] for one in warnings] == [field]
    assert words in warnings[0][1]
    assert all(getattr(filled, name) == value for name, value in said.items())
    error = refusal(replace(FEW, enforce="refuse"), **said)
    assert (error.reason, error.violations[0].field) == ("SAMPLING_REFUSED", field)
    assert words in str(error) and str(PLAIN) in str(error)


def test_same_sampler_with_a_schedule_is_no_other() -> None:
    """Karras' Euler is Euler; and simple is trailing by another name."""
    assert heed(Sampling(samplers=("euler",)), sampler="Euler Karras")[1] == []
    assert heed(FEW, schedule="Simple")[1] == []


def test_listed_steps_are_taken_as_they_are() -> None:
    """Where nothing else says how steps lie, and their number fits."""
    listed = Sampling(samplers=("lcm",), timesteps=(999, 749, 499, 249), spacing="trailing")

    assert heed(listed)[0].timesteps == heed(listed, steps=4)[0].timesteps == listed.timesteps
    assert heed(listed, steps=2)[0].timesteps == ()
    assert heed(listed, sampler="euler", schedule="simple")[0].timesteps == ()
    assert heed(listed)[1] == []


def test_sampler_with_its_own_steps_is_told_no_spacing() -> None:
    """An LCM that the release was made for is no contradiction of its spacing; another one is."""
    both = Sampling(samplers=("euler", "lcm"), spacing="trailing")

    assert heed(both, sampler="lcm") == (WantedDrawing(prompt="x", sampler="lcm"), [])
    fields = {field for field, _ in heed(FEW, sampler="lcm")[1]}
    assert fields == {"sampler", "timestep_spacing"}


def test_few_steps_win_over_a_style() -> None:
    """Whatever the order; what only the style says is taken all the same."""
    for order in ((FEW, STYLE), (STYLE, FEW)):
        filled, warnings = heed(*order)
        assert (filled.steps, filled.guidance_scale, filled.sampler) == (4, 1.0, "euler")
        assert filled.clip_skip == 1
        assert [field for field, _ in warnings] == ["sampler"]


@pytest.mark.parametrize(
    ("left", "right", "word"),
    [
        (Sampling(spacing="trailing"), Sampling(spacing="leading"), "spacing"),
        (Sampling(prediction="epsilon"), Sampling(prediction="v_prediction"), "prediction"),
        (Sampling(steps=Span(max=8)), Sampling(steps=Span(min=20)), "steps"),
        (Sampling(guidance=Span(min=5)), Sampling(guidance=Span(max=2)), "guidance"),
    ],
)
def test_bounds_that_exclude_each_other_are_refused(
    left: Sampling, right: Sampling, word: str
) -> None:
    """By name of both; recommendations never exclude."""
    error = refusal(left, right)

    assert (error.reason, error.violations[0].field) == ("SAMPLING_CONFLICT", "adapters")
    assert str(error).count(str(PLAIN)) == 2 and word in str(error)
    heed(Sampling(steps=Span(recommended=4)), Sampling(steps=Span(recommended=30)))


def test_what_cannot_be_drawn_here_is_told_and_left() -> None:
    """A recommendation never makes a request fail."""
    wish = Sampling(clip_skip=9, steps=Span(recommended=10_000), samplers=("telepathy", "ddim"))

    filled, warnings = heed(wish)

    assert (filled.clip_skip, filled.steps, filled.sampler) == (None, None, "ddim")
    assert {field for field, _ in warnings} == {"clip_skip", "num_inference_steps"}


def test_prediction_of_another_base_is_told() -> None:
    """And a weight beyond what it was made for."""
    one = worn(Sampling(prediction="v_prediction", weight=Span(max=1)), weight=1.5)

    _, warnings = reader().heed(WantedDrawing(prompt="x"), worn=[one], policies={})

    assert [warning.field for warning in warnings] == ["adapters", "adapters"]
    assert "weight is 1.5, made for at most 1" in warnings[0].message
    assert "the base predicts epsilon, made for v_prediction" in warnings[1].message


def test_recipe_that_declares_speaks_for_its_members() -> None:
    """Once, whatever its members say."""
    recipe = WornRecipe(release=replace(PLAIN, sampling=FEW), weight=1.0)
    members = [replace(worn(STYLE, digit=str(n)), recipe=recipe) for n in (1, 2)]

    filled, warnings = reader().heed(WantedDrawing(prompt="x"), worn=members, policies={})

    assert (filled.sampler, filled.steps, warnings) == ("euler", 4, ())


def test_namespace_may_refuse_what_its_authors_allow() -> None:
    """Of its own releases only; what is within bounds passes."""
    policies = {PLAIN.adapter.namespace: Policy(namespace="x", enforce_sampling=True)}
    stack, far = [worn(FEW)], WantedDrawing(prompt="x", steps=30)

    with pytest.raises(InvalidRequest, match=f"{PLAIN.adapter.namespace} refuses this") as caught:
        reader().heed(far, worn=stack, policies=policies)

    assert {one.reason for one in caught.value.violations} == {"SAMPLING_REFUSED"}
    assert reader().heed(WantedDrawing(prompt="x"), worn=stack, policies=policies)[1] == ()
    elsewhere = {"elsewhere": Policy(namespace="elsewhere", enforce_sampling=True)}
    assert reader().heed(far, worn=stack, policies=elsewhere)[1]
