# SPDX-License-Identifier: Apache-2.0
"""What a header says of sampling; a file's name is never a part of that."""

import json

import pytest

from tabard_registry.intake.report.sampling_words import FAMILIES, SAMPLING_KEY, sampling_said
from tabard_registry.release.sampling import NO_SAMPLING


@pytest.mark.parametrize(
    ("words", "family", "steps"),
    [
        ("LCM LoRA for SD 1.5", "LCM", 4),
        ("a Latent Consistency adapter", "LCM", 4),
        ("SDXL-Lightning, 2-step", "Lightning", 2),
        ("Hyper-SD 8 steps", "Hyper-SD", 8),
        ("distilled by TCD", "TCD", 4),
        ("DMD2", "DMD2", 4),
        ("for SDXL Turbo, 1 step", "Turbo", 1),
    ],
)
def test_few_step_families_are_known(words: str, family: str, steps: int) -> None:
    """By what their authors write into the header, with the steps that they name."""
    said = sampling_said({"modelspec.description": words}, family="sdxl")

    assert (said.sources, said.steps.recommended) == ((family,), steps)
    assert said.is_few_step and said.samplers


@pytest.mark.parametrize(
    "words",
    [
        {"ss_output_name": "lcm-lora"},
        {"modelspec.title": "lightning bolts"},
        {"modelspec.title": "welcome"},
        {"ss_base_model_version": "sdxl_lightning"},
        {},
    ],
)
def test_other_words_are_no_family(words: dict[str, str]) -> None:
    """What a trainer called its file says nothing, nor a word within a word."""
    assert sampling_said(words, family="sdxl") == NO_SAMPLING


def test_steps_that_fit_no_list_leave_it_out() -> None:
    """Four timesteps are none for two steps."""
    four = sampling_said({"modelspec.title": "DMD2 4-step"}, family="sdxl")
    two = sampling_said({"modelspec.title": "DMD2 2-step"}, family="sdxl")

    assert (four.timesteps, two.timesteps) == ((999, 749, 499, 249), ())


def test_guidance_that_was_kept_is_left_open() -> None:
    """Some are distilled so that they can be guided."""
    said = sampling_said({"modelspec.title": "Hyper-SDXL CFG 8 steps"}, family="sdxl")

    assert not said.guidance


def test_training_says_layers_and_prediction() -> None:
    """A layer that was skipped in training is skipped in drawing, where that is a choice."""
    words = {"ss_clip_skip": "2", "ss_v_parameterization": "true"}

    of_sd1, of_sdxl = (sampling_said(words, family=family) for family in ("sd1", "sdxl"))

    assert (of_sd1.clip_skip, of_sd1.prediction, of_sd1.sources) == (
        1,
        "v_prediction",
        ("metadata",),
    )
    assert of_sdxl.clip_skip is None
    both = {"ss_v_parameterization": "true", "prediction_type": "epsilon"}
    assert sampling_said(both, family="sd1") == NO_SAMPLING
    usual = {"ss_v_parameterization": "false", "modelspec.prediction_type": "epsilon"}
    assert sampling_said(usual, family="sd1").prediction == "epsilon"
    assert sampling_said(usual, family="sd3") == NO_SAMPLING


def test_table_in_the_header_counts_first() -> None:
    """Before its training and its family; one that cannot be is nobody's word."""
    table = json.dumps({"samplers": ["tcd"], "enforce": "refuse", "sources": ["author"]})
    words = {"modelspec.title": "LCM", SAMPLING_KEY: table}

    said = sampling_said(words, family="sd1")

    assert (said.samplers, said.enforce) == (("tcd",), "refuse")
    assert (said.steps.recommended, said.sources) == (4, ("metadata", "LCM"))
    for broken in ("{", "[]", '{"steps": 4}', '{"clip_skip": true}', "[" * 3_000, "x" * 5_000):
        assert sampling_said({SAMPLING_KEY: broken}, family="sd1") == NO_SAMPLING


def test_families_can_be_walked() -> None:
    """Each wants something that it can say."""
    assert all(one.sampling and one.sampling.is_few_step for one in FAMILIES)
