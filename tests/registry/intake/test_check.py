# SPDX-License-Identifier: Apache-2.0
import re
from pathlib import Path

import numpy as np

from tabard_registry import check
from tests.registry.fakes import Tensors, kohya_tensors, sd_profile, write
from tests.registry.intake import dense_files
from tests.registry.intake.lora_files import (
    PROFILE,
    TARGETS,
    assert_all_applied,
    checked,
    reasons,
    renamed,
)
from tests.root import ROOT


def test_stray_key_is_refused(tmp_path: Path) -> None:
    """A key of no dialect beside good ones is refused."""
    tensors = {**kohya_tensors(PROFILE), "something": np.ones(3)}

    assert reasons(checked(tmp_path, tensors).report) == ["UNKNOWN_KEYS"]


def test_mixed_dialects_are_refused(tmp_path: Path) -> None:
    """One file speaks one dialect."""
    table = {"lora_down.weight": ".lora_A.weight", "lora_up.weight": ".lora_B.weight"}
    tensors = kohya_tensors(PROFILE)
    tensors.update(renamed(tensors, table))

    report = checked(tmp_path, tensors).report

    assert reasons(report) == ["MIXED_DIALECTS"]
    assert "kohya, diffusers" in report.problems[0].message


def test_two_files_are_one_release(tmp_path: Path) -> None:
    """UNet and text encoder may come in two files, but no layer in both."""
    unet = [target for target in TARGETS if target[0] == "unet"]
    text = [target for target in TARGETS if target[0] != "unet"]
    one = write(tmp_path / "1.safetensors", kohya_tensors(PROFILE, modules=unet))
    two = write(tmp_path / "2.safetensors", kohya_tensors(PROFILE, modules=text))

    assert_all_applied(check([one, two], profile=PROFILE), scale=0.5, dialect="kohya")
    assert reasons(check([one, one], profile=PROFILE).report) == ["DUPLICATE_TARGET"]
    assert reasons(check([], profile=PROFILE).report) == ["EMPTY"]
    assert reasons(check([one] * 9, profile=PROFILE).report) == ["TOO_LARGE"]


def test_unknown_tensors_are_refused(tmp_path: Path) -> None:
    """Tensors of no dialect are refused with the first key."""
    tensors: Tensors = {"layer.one": np.ones((2, 2)), "layer.two": np.ones((2, 2))}

    report = check([write(tmp_path / "x.safetensors", tensors)], profile=sd_profile()).report

    assert report.problems[0].reason == "UNSUPPORTED_DIALECT"
    assert "layer.one" in report.problems[0].message


def test_two_files_cannot_change_one_weight(tmp_path: Path) -> None:
    """A pair in one file and a difference in another are two changes of one weight."""
    files = [
        write(tmp_path / "a.safetensors", dense_files.lora()),
        write(tmp_path / "b.safetensors", {f"{dense_files.FC}.diff": dense_files.some(16, 12)}),
    ]

    assert reasons(check(files, profile=dense_files.PROFILE).report) == ["DUPLICATE_TARGET"]


def test_every_reason_is_documented() -> None:
    """Whatever word a check refuses or warns with stands in the page on files."""
    page = (ROOT / "docs" / "files.md").read_text()
    folder = ROOT / "registry" / "tabard_registry" / "intake"
    sources = "".join(path.read_text() for path in folder.rglob("*.py"))
    patterns = (r'reason="([A-Z_]+)"', r'LayerRefused\(\s*"([A-Z_]+)"', r'note\("([A-Z_]+)"')
    reasons = {word for pattern in patterns for word in re.findall(pattern, sources)}

    assert {"BAD_SHAPE", "UNSUPPORTED_CONFIG", "RANK_ZERO"} <= reasons
    assert {word for word in reasons if word not in page} == {"FIELD_INVALID"}
