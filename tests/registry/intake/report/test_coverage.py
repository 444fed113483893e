# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

from tabard_registry import check
from tabard_registry.report import Coverage
from tests.registry.fakes import kohya_tensors, write
from tests.registry.intake.dense_files import CONV, NORM, checked, lora, some
from tests.registry.intake.lora_files import PROFILE as SD_PROFILE
from tests.registry.intake.lora_files import TARGETS


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
