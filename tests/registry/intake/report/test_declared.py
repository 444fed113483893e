# SPDX-License-Identifier: Apache-2.0
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tabard_registry import BaseProfile, check
from tests.registry.fakes import write
from tests.registry.intake.dense_files import FC, checked, lora, some
from tests.registry.intake.lora_files import reasons
from tests.registry.intake.report.named_base import NAMED, report_of


@pytest.mark.parametrize(
    ("metadata", "match", "found"),
    [
        ({}, "", []),
        ({"ss_base_model_version": "sd_v1"}, "family", []),
        ({"ss_sd_model_name": "D:\\models\\stable-diffusion-v1-5.safetensors"}, "same", []),
        ({"ss_sd_model_name": "dreamy.safetensors"}, "family", ["OTHER_BASE"]),
        ({"tabard.base_fingerprint": NAMED.fingerprint}, "same", []),
        ({"tabard.base_fingerprint": "sha256:" + "0" * 64}, "family", ["OTHER_BASE"]),
        ({"ss_sd_model_hash": "deadbeef"}, "", []),
    ],
)
def test_file_says_its_base(
    metadata: dict[str, str], match: str, found: list[str], tmp_path: Path
) -> None:
    """Its own words are compared with the base, shown, and never a reason to refuse."""
    report = report_of(tmp_path, **metadata)

    assert report.accepted and report.base_match == match
    assert reasons(report) == found
    assert dict(report.declared) == metadata
    assert (report.base_family, report.base_fingerprint) == ("sd1", NAMED.fingerprint)


def test_hash_of_tabard_itself_is_no_proof(tmp_path: Path) -> None:
    """A file that claims the very fingerprint is still judged by its tensors."""
    metadata = {"tabard.base_fingerprint": NAMED.fingerprint}

    report = checked(tmp_path, {f"{FC}.diff": np.ones((3, 3), "float32")}, metadata=metadata).report

    assert reasons(report) == ["SHAPE_MISMATCH"]


def test_configuration_names_its_base(tmp_path: Path) -> None:
    """PEFT's folder says its base in `adapter_config.json`."""
    tensors = {
        "base_model.model.mid_block.fc.lora_A.weight": some(4, 12),
        "base_model.model.mid_block.fc.lora_B.weight": some(16, 4),
    }
    config = tmp_path / "adapter_config.json"
    said = {"peft_type": "LORA", "r": 4, "lora_alpha": 2, "base_model_name_or_path": "x/other"}
    config.write_text(json.dumps(said))

    report = check([write(tmp_path / "a.safetensors", tensors), config], profile=NAMED).report

    assert report.accepted and report.base_match == "family"
    assert reasons(report) == ["OTHER_BASE"]
    assert report.alphas == (2.0,)


V_BASE = replace(NAMED, prediction="v_prediction", is_zero_snr=True)
EPSILON_BASE = replace(NAMED, prediction="epsilon", is_zero_snr=False, native_pixels=512)

FLOW_BASE = replace(NAMED, family="sd3", prediction="flow_prediction", is_zero_snr=False)


@pytest.mark.parametrize(
    ("profile", "metadata", "found"),
    [
        (FLOW_BASE, {"modelspec.prediction_type": "epsilon"}, []),
        (FLOW_BASE, {"modelspec.prediction_type": "flow"}, []),
        (FLOW_BASE, {"ss_zero_terminal_snr": "True"}, []),
        (FLOW_BASE, {"modelspec.prediction_type": "v"}, ["OTHER_PREDICTION"]),
        (EPSILON_BASE, {"modelspec.prediction_type": "flow"}, ["OTHER_PREDICTION"]),
        (EPSILON_BASE, {"modelspec.prediction_type": "v"}, ["OTHER_PREDICTION"]),
        (EPSILON_BASE, {"ss_v_parameterization": "True"}, ["OTHER_PREDICTION"]),
        (EPSILON_BASE, {"modelspec.predict_key": "v"}, ["OTHER_PREDICTION"]),
        (EPSILON_BASE, {"prediction_type": "v_prediction"}, ["OTHER_PREDICTION"]),
        (V_BASE, {"modelspec.prediction_type": "epsilon"}, ["OTHER_PREDICTION"]),
        (V_BASE, {"modelspec.prediction_type": "v"}, []),
        (EPSILON_BASE, {"modelspec.prediction_type": "epsilon"}, []),
        (NAMED, {"modelspec.prediction_type": "v"}, []),
        (EPSILON_BASE, {"ss_zero_terminal_snr": "True"}, ["OTHER_NOISE_SCHEDULE"]),
        (V_BASE, {"ss_zero_terminal_snr": "True"}, []),
    ],
)
def test_other_prediction_is_refused(
    profile: BaseProfile, metadata: dict[str, str], found: list[str], tmp_path: Path
) -> None:
    """What was trained to say v changes noise into something else; the setting is named."""
    report = report_of(tmp_path, profile=profile, **metadata)

    assert reasons(report) == found
    assert report.accepted is not bool(found)
    assert all("adapters_that_contradict" in one.remedy for one in report.problems)
    assert dict(report.declared) == metadata


def test_other_prediction_is_taken_when_asked(tmp_path: Path) -> None:
    """Who knows that it works is warned all the same."""
    file = write(tmp_path / "a.safetensors", lora(), metadata={"modelspec.prediction_type": "v"})

    report = check([file], profile=EPSILON_BASE, takes_contradictions=True).report

    assert report.accepted and reasons(report) == ["OTHER_PREDICTION"]


@pytest.mark.parametrize(
    ("metadata", "found"),
    [
        ({"ss_resolution": "(512, 512)"}, []),
        ({"modelspec.resolution": "768x768"}, []),
        ({"modelspec.resolution": "1024x1024"}, ["OTHER_RESOLUTION"]),
        ({"ss_resolution": "(256, 256)"}, ["OTHER_RESOLUTION"]),
        ({"ss_resolution": "1024,1024"}, ["OTHER_RESOLUTION"]),
        ({"ss_zero_terminal_snr": "False"}, []),
        ({"ss_clip_skip": "2"}, ["CLIP_SKIP"]),
        ({"modelspec.encoder_layer": "2"}, ["CLIP_SKIP"]),
        ({"ss_clip_skip": "None"}, []),
    ],
)
def test_training_is_warned_of(metadata: dict[str, str], found: list[str], tmp_path: Path) -> None:
    """What changes a picture a little is told and taken."""
    report = report_of(tmp_path, profile=EPSILON_BASE, **metadata)

    assert report.accepted and reasons(report) == found
