# SPDX-License-Identifier: Apache-2.0
"""An extracted file added into a base: W' = W0 + up @ down * alpha / rank, all of it used."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from tabard_server.extraction.parameters import Parameter, Role
from tabard_server.extraction.wearing import add_into


def parameter(stem: str, role: Role, *shape: int) -> Parameter:
    """Return a parameter of ones."""
    return Parameter(
        component="unet", name=stem, plain=stem, role=role, stem=stem, weight=torch.ones(shape)
    )


def add(tensors: dict[str, torch.Tensor], folder: Path, *parameters: Parameter) -> int:
    """Write these tensors as a file, and add it."""
    save_file(tensors, str(folder / "file"))
    return add_into(parameters, file=folder / "file")


@pytest.mark.parametrize("kernel", [(), (3, 3)])
def test_pair_is_multiplied_and_scaled(tmp_path: Path, kernel: tuple[int, ...]) -> None:
    """Alpha counts by rank, and a kernel is unrolled in `down`."""
    one = parameter("conv", "matrix", 4, 2, *kernel)
    up, down = torch.randn(4, 3), torch.randn(3, 2, *kernel)
    pair = {
        "conv.lora_up.weight": up.view(4, 3, *(1 for _ in kernel)),
        "conv.lora_down.weight": down,
        "conv.alpha": torch.tensor(1.5),
    }

    used = add(pair, tmp_path, one)

    expected = 1 + (up @ down.flatten(1) * 0.5).view(one.weight.shape)
    torch.testing.assert_close(one.weight, expected)
    assert used == 3


@pytest.mark.parametrize(
    ("role", "key"),
    [("matrix", "diff"), ("bias", "diff_b"), ("norm_weight", "w_norm"), ("norm_bias", "b_norm")],
)
def test_whole_difference_is_added(tmp_path: Path, role: Role, key: str) -> None:
    """Under the name that LyCORIS gives it; a stranger's key is none of its own."""
    mine, other = parameter("mine", role, 4), parameter("other", role, 4)
    difference = torch.arange(4.0)

    used = add({f"mine.{key}": difference}, tmp_path, mine, other)

    assert torch.equal(mine.weight, 1 + difference)
    assert torch.equal(other.weight, torch.ones(4))
    assert used == 1


def test_leftover_tensor_is_a_bug(tmp_path: Path) -> None:
    """A file that is not worn whole is no file that was compared."""
    with pytest.raises(AssertionError, match="every tensor"):
        add({"else.diff": torch.ones(4)}, tmp_path, parameter("mine", "matrix", 4))
