# SPDX-License-Identifier: Apache-2.0
"""GPU tests fail, and do not skip in silence, where they are asked for without a device."""

import pytest
import torch


@pytest.fixture(autouse=True)
def _needs_cuda(request: pytest.FixtureRequest) -> None:
    if request.node.get_closest_marker("gpu") is not None:
        is_here = torch.cuda.is_available()
        assert is_here, "these tests need a CUDA device; run `make test` without one"
