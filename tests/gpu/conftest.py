# SPDX-License-Identifier: Apache-2.0
"""GPU tests fail, and do not skip in silence, where they are asked for without a device."""

import pytest
import torch


@pytest.fixture(autouse=True)
def _needs_cuda() -> None:
    assert torch.cuda.is_available(), "these tests need a CUDA device; run `make test` without one"
