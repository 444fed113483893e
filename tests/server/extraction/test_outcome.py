# SPDX-License-Identifier: Apache-2.0
"""What an extraction has to say: shares of the whole, by layer and by block."""

from pathlib import Path

import pytest

from tests.tuned_models import (
    add_everywhere,
    extracted,
    make_tuned_model,
)


def test_blocks_share_the_whole(tmp_path: Path, base: Path) -> None:
    """Every difference is counted under one block, and the shares make one."""
    tuned = make_tuned_model(base, tmp_path / "tuned", add_everywhere(0.05))

    outcome = extracted(base, tuned, tmp_path / "out", rank=2)

    names = [one.block for one in outcome.blocks]
    assert {"down_blocks.0", "mid_block", "up_blocks.1", "text_encoder", "unet ends"} <= {*names}
    assert sum(one.share for one in outcome.blocks) == pytest.approx(1.0)
    assert sum(one.layer_count for one in outcome.blocks) == len(outcome.layers)
    kept = sum(one.share * one.kept_energy for one in outcome.blocks)
    assert outcome.kept_energy == pytest.approx(kept)
    assert outcome.relative_error == pytest.approx((1 - kept) ** 0.5)
