# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import numpy as np
import pytest

from tests.registry.fakes import kohya_tensors
from tests.registry.intake.lora_files import PROFILE, checked, reasons


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("part", ["lora_up.weight", "lora_down.weight"])
def test_bad_number_is_refused(value: float, part: str, tmp_path: Path) -> None:
    """One NaN or infinity refuses the file and names the tensor."""
    tensors = kohya_tensors(PROFILE)
    key = f"lora_unet_mid_block_attentions_0_proj_in.{part}"
    tensors[key].flat[-1] = value

    report = checked(tmp_path, tensors).report

    assert reasons(report) == ["NOT_FINITE"]
    assert key in report.problems[0].message


def test_integer_weights_are_refused(tmp_path: Path) -> None:
    """Weights are floats."""
    tensors = kohya_tensors(PROFILE, dtype="int8")

    assert reasons(checked(tmp_path, tensors).report) == ["UNSUPPORTED_DTYPE"]
