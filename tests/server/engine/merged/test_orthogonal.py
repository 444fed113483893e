# SPDX-License-Identifier: Apache-2.0
"""Rotations equal the weights that PEFT itself merges, in float64, or the formula."""

from typing import Any
from unittest import mock

import pytest
import torch
from peft import BOFTConfig, OFTConfig
from peft.tuners.boft import layer as peft_boft

from tabard_server.engine.merged.change_parts import ChangeParts
from tabard_server.engine.merged.changes import materialise
from tabard_server.engine.merged.orthogonal import butterfly, orthogonal
from tabard_server.engine_port.errors import AdapterMismatch
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


def random(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def cayley(block: torch.Tensor) -> torch.Tensor:
    """Return `(I + Q)(I - Q)^-1` of one block's skew part, by its formula."""
    skew, identity = block - block.T, torch.eye(len(block), dtype=block.dtype)
    return (identity + skew) @ torch.linalg.inv(identity - skew)


def parts_for(base: torch.Tensor, blocks: torch.Tensor, **options: Any) -> ChangeParts:
    """Return the parts of a rotation of this parameter."""
    return ChangeParts(change_of("any", {"blocks": blocks}, **options), base=base)


def test_blocks_turn_their_outputs() -> None:
    """OFT: block by block along the diagonal, and no row longer than before."""
    base, blocks = random(6, 4), random(2, 3, 3, seed=2)

    found = base + orthogonal(parts_for(base, blocks), weight=1.0)

    rotation = torch.block_diag(*(cayley(block) for block in blocks))
    torch.testing.assert_close(found, rotation.T @ base)
    torch.testing.assert_close(found.T @ found, base.T @ base)


@pytest.mark.parametrize("weight", [0.0, 0.5, 1.0])
def test_weight_lies_between_identity_and_rotation(weight: float) -> None:
    """A rotation is interpolated with standing still; at nothing nothing changes."""
    base, blocks = random(3, 4), random(1, 3, 3, seed=2)

    found = base + orthogonal(parts_for(base, blocks), weight=weight)

    between = (1 - weight) * torch.eye(3).double() + weight * cayley(blocks[0])
    torch.testing.assert_close(found, between.T @ base)


def test_constraint_bounds_the_turn() -> None:
    """Skew matrices are shortened to the constraint times the outputs, and only then."""
    base, blocks = random(3, 4), random(1, 3, 3, seed=2)
    skew = blocks[0] - blocks[0].T
    bound = 0.1 * 3 / (torch.linalg.vector_norm(skew) + 1e-8)

    tight = base + orthogonal(parts_for(base, blocks, constraint=0.1), weight=1.0)
    loose = base + orthogonal(parts_for(base, blocks, constraint=1e3), weight=1.0)

    torch.testing.assert_close(tight, cayley(blocks[0] * bound).T @ base)
    torch.testing.assert_close(loose, cayley(blocks[0]).T @ base)


def test_butterfly_keeps_lengths() -> None:
    """Stages of rotations are one rotation, which mixes beyond a block."""
    base, blocks = torch.eye(8).double(), random(2, 2, 4, 4, seed=2)

    found = base + butterfly(parts_for(base, blocks), weight=1.0)

    torch.testing.assert_close(found.T @ found, base)
    assert (found[:4, 4:].abs().max() > 0.01) and (found[4:, :4].abs().max() > 0.01)


@pytest.mark.parametrize("on_input", [False, True])
def test_blocks_must_cover_the_side(on_input: bool) -> None:
    """Blocks that are too many for the side they turn are named by it."""
    side = "inputs" if on_input else "outputs"

    with pytest.raises(AdapterMismatch, match=f"5 blocks of 2 for its {side}"):
        orthogonal(parts_for(random(8, 8), random(5, 2, 2), on_input=on_input), weight=1.0)
