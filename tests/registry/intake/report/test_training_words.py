# SPDX-License-Identifier: Apache-2.0
"""What trainers write of how they trained, in all their spellings."""

import pytest

from tabard_registry.intake.report.training_words import (
    clip_skip,
    families,
    predictions,
    resolution,
    zero_snrs,
)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ({}, []),
        ({"modelspec.prediction_type": "epsilon"}, ["epsilon"]),
        ({"modelspec.prediction_type": "V"}, ["v_prediction"]),
        ({"modelspec.prediction_type": "v_prediction"}, ["v_prediction"]),
        ({"modelspec.prediction_type": "None"}, []),
        ({"modelspec.predict_key": "v"}, ["v_prediction"]),
        ({"ss_v_parameterization": "True"}, ["v_prediction"]),
        ({"ss_v_parameterization": "False"}, ["epsilon"]),
        ({"v_pred": "yes"}, ["v_prediction"]),
        ({"modelspec.architecture": "stable-diffusion-v2-768-v/lora"}, ["v_prediction"]),
        ({"modelspec.architecture": "stable-diffusion-v2-512"}, []),
        ({"ss_base_model_version": "sd_v2_v"}, ["v_prediction"]),
        ({"modelspec.prediction_type": "flow"}, ["flow_prediction"]),
        ({"modelspec.prediction_type": "Magic"}, ["magic"]),
        (
            {"modelspec.prediction_type": "epsilon", "ss_v_parameterization": "true"},
            ["epsilon", "v_prediction"],
        ),
    ],
)
def test_predictions_in_every_spelling(words: dict[str, str], found: list[str]) -> None:
    """Every field speaks for itself; an unknown word is given as it stands."""
    assert [one.value for one in predictions(words)] == found
    assert all(one.where.split()[0] in words for one in predictions(words))


@pytest.mark.parametrize("family", ["sd3", "flux"])
def test_epsilon_says_nothing_of_a_flow(family: str) -> None:
    """Trainers write it into whatever is not of a velocity; other words count."""
    words = {"modelspec.prediction_type": "epsilon", "ss_v_parameterization": "False"}

    assert predictions(words, family=family) == ()
    assert [one.value for one in predictions({"v_pred": "1"}, family=family)] == ["v_prediction"]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ({}, []),
        ({"ztsnr": "yes"}, ["yes"]),
        ({"ss_zero_terminal_snr": "True"}, ["yes"]),
        ({"ss_zero_terminal_snr": "False"}, ["no"]),
        ({"ss_zero_terminal_snr": "None"}, []),
    ],
)
def test_zero_snr_is_said_or_denied(words: dict[str, str], found: list[str]) -> None:
    """Silence is neither."""
    assert [one.value for one in zero_snrs(words)] == found


def test_family_of_known_words() -> None:
    """The words of trainers and of the model specification; strange ones say nothing."""
    said = {"ss_base_model_version": "sd_v1", "modelspec.architecture": "stable-cascade"}

    assert [(one.value, one.where) for one in families(said)] == [
        ("sd1", "ss_base_model_version sd_v1")
    ]


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1024x1024", (1024, 1024)),
        ("768x512", (768, 512)),
        ("512", (512, 512)),
        ("(512, 768)", (512, 768)),
        ("large", None),
        ("", None),
    ],
)
def test_resolution_in_every_spelling(text: str, size: tuple[int, int] | None) -> None:
    """Both sides, or one for both."""
    assert resolution({"modelspec.resolution": text}) == size


@pytest.mark.parametrize(("text", "skip"), [("2", 2), ("1", None), ("None", None), ("x", None)])
def test_clip_skip_leaves_layers_out(text: str, skip: int | None) -> None:
    """One, as trainers count, leaves nothing out."""
    assert clip_skip({"ss_clip_skip": text}) == skip
