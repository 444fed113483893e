# SPDX-License-Identifier: Apache-2.0
"""Tabard's graph beside plain OpenVINO on a toy UNet."""

import pytest

from tests.bench.alternatives import openvino_sizes
from tests.bench.alternatives.openvino_sizes import Size
from tests.gpu.measure.sizes import TINY


def test_every_way_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    """Bare, both ranks and the stack; and bare is what plain OpenVINO says."""
    found = openvino_sizes.measure(Size(name="toy", config=TINY, samples=2, side=16), rounds=2)
    openvino_sizes._tell("toy", found)

    assert found["difference"] < 1e-4
    assert [len(one) for one in found["seconds"].values()] == [2] * 5
    said = capsys.readouterr().out
    assert all(kind in said for kind in found["seconds"])
