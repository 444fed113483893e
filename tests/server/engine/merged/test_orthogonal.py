# SPDX-License-Identifier: Apache-2.0
"""Rotations equal the weights that PEFT itself merges, in float64, or the formula."""

from unittest import mock

import pytest
import torch
from peft import BOFTConfig, OFTConfig
from peft.tuners.boft import layer as peft_boft

from tabard_server.engine.merged.changes import materialise
from tests.server.engine.merged.peft_layers import TARGET, merged, parts_of, wear
from tests.server.engine.merged.random_changes import change_of


@pytest.mark.parametrize("kind", ["linear", "conv2d"])
@pytest.mark.parametrize("is_shared", [False, True])
@pytest.mark.parametrize("terms", [0, 1, 2, 3, 4, 5, 8])
def test_rotation_of_inputs_equals_peft(kind: str, is_shared: bool, terms: int) -> None:
    """OFT, exact or by any number of terms of its series, its blocks shared or not."""
    config = OFTConfig(
        r=0,
        oft_block_size=4,
        use_cayley_neumann=terms > 0,
        num_cayley_neumann_terms=terms,
        block_share=is_shared,
        **TARGET,
    )
    worn, bare = wear(config, kind)
    packed = worn.oft_R["default"].weight.detach()
    blocks = torch.zeros(len(packed), 4, 4, dtype=torch.float64)
    blocks[:, *torch.triu_indices(4, 4, 1)] = packed

    change = change_of("oft", {"blocks": blocks}, on_input=True, terms=float(terms))
    found = bare + materialise(change, bare)

    torch.testing.assert_close(found, merged(worn), rtol=1e-9, atol=1e-9)
    assert (found - bare).abs().max() > 0.01 or terms == 1


class _BlocksOnCpu:
    """What PEFT compiles for CUDA: matrices along the diagonal, stage by stage."""

    @staticmethod
    def apply(blocks: torch.Tensor) -> torch.Tensor:
        return torch.stack([torch.block_diag(*stage) for stage in blocks])


@pytest.mark.parametrize("kind", ["linear", "conv2d"])
@pytest.mark.parametrize("stages", [1, 2, 3])
def test_butterfly_of_inputs_equals_peft(kind: str, stages: int) -> None:
    """BOFT of one stage or more; PEFT keeps twice the blocks and lengths of the outputs."""
    config = BOFTConfig(boft_block_size=4, boft_n_butterfly_factor=stages, **TARGET)
    with (
        mock.patch.object(peft_boft, "get_fbd_cuda", lambda: True),
        mock.patch.object(peft_boft, "FastBlockDiag", _BlocksOnCpu, create=True),
    ):
        worn, bare = wear(config, kind)
        parts = parts_of(worn)
        halves = {"blocks": parts["boft_R"] / 2, "rescale": parts["boft_s"]}

        found = bare + materialise(change_of("boft", halves, on_input=True), bare)

        assert len(parts["boft_R"]) == stages
        torch.testing.assert_close(found, merged(worn), rtol=1e-9, atol=1e-9)
