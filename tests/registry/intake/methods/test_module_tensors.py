# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import numpy as np
import pytest

from tests.registry.fakes import kohya_tensors
from tests.registry.intake.lora_files import PROFILE, checked, reasons


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_impossible_alpha_is_refused(value: float, tmp_path: Path) -> None:
    """An alpha that silences or breaks a layer is refused."""
    report = checked(tmp_path, kohya_tensors(PROFILE, alpha=value)).report

    assert reasons(report) == ["BAD_ALPHA"]
