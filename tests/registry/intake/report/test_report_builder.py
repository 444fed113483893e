# SPDX-License-Identifier: Apache-2.0
"""What a report says beside its verdict: mode, kind, warnings, training metadata."""

from pathlib import Path

import numpy as np

from tabard_registry import check
from tests.registry.fakes import kohya_tensors, write
from tests.registry.intake import dense_files
from tests.registry.intake.lora_files import PROFILE, checked, reasons


def test_refused_file_has_no_mode(tmp_path: Path) -> None:
    """What would not be worn is worn in no mode, and its base is matched with nothing."""
    tensors = {f"{dense_files.FC}.diff": dense_files.some(16, 11)}

    report = dense_files.checked(tmp_path, tensors, metadata={"ss_sd_model_name": "x"})

    assert (report.report.mode, report.report.base_match) == ("", "")


def test_zero_file_is_a_warning(tmp_path: Path) -> None:
    """A LoRA without effect is accepted, and said so."""
    tensors = kohya_tensors(PROFILE)
    for key, value in tensors.items():
        if key.endswith("lora_up.weight"):
            value[:] = 0

    report = checked(tmp_path, tensors).report

    assert (report.accepted, reasons(report)) == (True, ["NO_EFFECT"])


def test_metadata_is_kept_within_bounds(tmp_path: Path) -> None:
    """Training metadata is kept, cut where it is too long, and trigger words are found in it."""
    metadata = {"ss_epoch": "7", "long": "x" * 9_000, "modelspec.trigger_phrase": "inkstyle, wash"}

    report = checked(tmp_path, kohya_tensors(PROFILE), metadata=metadata).report

    assert report.training["ss_epoch"] == "7"
    assert len(report.training["long"]) == 4_000
    assert report.trigger_words == ("inkstyle", "wash")


def test_dreambooth_is_what_its_author_says(tmp_path: Path) -> None:
    """A DreamBooth LoRA is one by word of the author or of the metadata."""
    tensors = kohya_tensors(PROFILE)

    said = checked(tmp_path, tensors, kind="dreambooth", trigger_words=["sks dog"]).report
    written = checked(tmp_path, tensors, metadata={"instance_prompt": "a sks dog"}).report
    wrong = checked(tmp_path, tensors, kind="textual_inversion").report

    assert (said.kind, said.trigger_words, said.problems) == ("dreambooth", ("sks dog",), ())
    assert (written.kind, reasons(written)) == ("dreambooth", ["NO_TRIGGER"])
    assert reasons(wrong) == ["KIND_MISMATCH"]
    assert wrong.problems[0].remedy == "Leave the kind out, or say lora or dreambooth."


def test_problem_names_its_file(tmp_path: Path) -> None:
    """Of several, by the keys that it quotes; a single one is not named."""
    good = write(tmp_path / "good.safetensors", kohya_tensors(PROFILE))
    odd = write(tmp_path / "odd.safetensors", {**kohya_tensors(PROFILE), "odd": np.ones(3)})

    (both,) = check([good, odd], profile=PROFILE).report.problems
    (alone,) = check([odd], profile=PROFILE).report.problems

    assert both.reason == "UNKNOWN_KEYS"
    assert both.message.endswith(" first (in odd.safetensors)")
    assert alone.message.endswith(" first")
