# SPDX-License-Identifier: Apache-2.0
"""What a report says beside its verdict: mode, alphas, coverage, and the file's own base."""

import json
from pathlib import Path

import numpy as np
import pytest

from tabard_registry import BaseProfile, Report, check
from tabard_registry.report import Coverage
from tests.registry.fakes import kohya_tensors, write
from tests.registry.intake.dense_files import CONV, FC, NORM, PROFILE, checked, lora, some
from tests.registry.intake.lora_files import PROFILE as SD_PROFILE
from tests.registry.intake.lora_files import TARGETS, reasons

NAMED = BaseProfile(
    family=PROFILE.family,
    fingerprints=PROFILE.fingerprints,
    modules=PROFILE.modules,
    token_widths=PROFILE.token_widths,
    vectors=PROFILE.vectors,
    names=("some-lab/Stable-Diffusion-v1-5",),
)


def report_of(folder: Path, *, profile: BaseProfile = NAMED, **metadata: str) -> Report:
    """The report on a LoRA whose header says this."""
    return checked(folder, lora(), profile=profile, metadata=metadata).report


def test_report_counts_what_is_changed(tmp_path: Path) -> None:
    """Coverage says of each touched component how many modules of each kind are changed."""
    tensors = {
        **lora(diff_b=some(16)),
        f"{CONV}.diff": some(16, 8, 3, 3),
        f"{NORM}.w_norm": some(8),
        f"{NORM}.b_norm": some(8),
    }

    report = checked(tmp_path, tensors).report

    assert report.coverage == (
        Coverage(component="unet", kind="bias", changed=1, total=2),
        Coverage(component="unet", kind="convolution", changed=1, total=1),
        Coverage(component="unet", kind="norm", changed=1, total=2),
        Coverage(component="unet", kind="other", changed=1, total=1),
        Coverage(component="unet", kind="projection", changed=0, total=1),
    )
    assert report.methods == {"LoRA": 1, "full difference": 4}
    assert report.alphas == (2.0,)


def test_whole_lora_covers_everything(tmp_path: Path) -> None:
    """A LoRA of every layer covers each kind of both components, and is worn in rows."""
    path = write(tmp_path / "x.safetensors", kohya_tensors(SD_PROFILE, rank=4))

    report = check([path], profile=SD_PROFILE).report

    assert report.mode == "rows"
    assert all(part.changed == part.total for part in report.coverage)
    assert sum(part.total for part in report.coverage) == len(TARGETS)
    assert {part.component for part in report.coverage} == {"unet", "text_encoder"}


def test_refused_file_has_no_mode(tmp_path: Path) -> None:
    """What would not be worn is worn in no mode, and its base is matched with nothing."""
    report = checked(tmp_path, {f"{FC}.diff": some(16, 11)}, metadata={"ss_sd_model_name": "x"})

    assert (report.report.mode, report.report.base_match) == ("", "")


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


@pytest.mark.parametrize("key", ["ss_base_model_version", "modelspec.architecture"])
def test_file_of_another_family_is_refused(key: str, tmp_path: Path) -> None:
    """What says that it is for SDXL is not taken on an SD1 base."""
    said = {"ss_base_model_version": "sdxl_base_v1-0"}.get(key, "stable-diffusion-xl-v1-base/lora")

    assert reasons(report_of(tmp_path, **{key: said})) == ["WRONG_FAMILY"]


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


def test_configuration_of_another_family_is_refused(tmp_path: Path) -> None:
    """A hub id that everybody knows says the family, where the tensors do not."""
    tensors = {
        "base_model.model.mid_block.fc.lora_A.weight": some(4, 12),
        "base_model.model.mid_block.fc.lora_B.weight": some(16, 4),
    }
    config = tmp_path / "adapter_config.json"
    name = "stabilityai/stable-diffusion-xl-base-1.0"
    said = {"peft_type": "LORA", "r": 4, "lora_alpha": 2, "base_model_name_or_path": name}
    config.write_text(json.dumps(said))

    report = check([write(tmp_path / "a.safetensors", tensors), config], profile=PROFILE).report

    assert reasons(report) == ["WRONG_FAMILY"]
    assert "stable-diffusion-xl-base-1.0" in report.problems[0].message


def test_profile_keeps_its_names() -> None:
    """Names and vectors survive JSON and change no fingerprint."""
    assert BaseProfile.from_json(NAMED.to_json()) == NAMED
    assert NAMED.fingerprint == PROFILE.fingerprint
