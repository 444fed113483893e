# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from tabard_registry.export.tensors import alpha_of


@pytest.mark.parametrize("scale", [0.5, 1 / 3, 0.7, 8 / 7, 1e-3 / 3, -1.25, 16 / 11])
@pytest.mark.parametrize("rank", [1, 3, 7, 64, 77])
def test_alpha_gives_the_scale_back(scale: float, rank: int) -> None:
    """Dividing by the rank gives the very scale, for alphas that a trainer could have written."""
    trained = float(np.float32(scale * rank)) / rank

    assert alpha_of(trained, rank=rank) / rank == trained
