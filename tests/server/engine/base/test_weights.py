# SPDX-License-Identifier: Apache-2.0
"""Weights into a model: all, of its shapes, and finite in what they are served in."""

import pytest
import torch
from torch import nn

from tabard_server.engine.base.weights import fill, fits
from tabard_server.engine_port.errors import BaseNotLoadable


def _fill(tensors: dict[str, torch.Tensor], *, dtype: torch.dtype = torch.float32) -> nn.Linear:
    model = nn.Linear(2, 3, device="meta")
    kept = {"weight": dtype, "bias": dtype}
    fill(model, tensors, component="unet", source="x", kept=kept)
    return model


def _tensors(**changes: torch.Tensor) -> dict[str, torch.Tensor]:
    return {"weight": torch.ones(3, 2), "bias": torch.zeros(3), **changes}


@pytest.mark.parametrize(
    "dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.float8_e4m3fn]
)
def test_weights_come_in_any_float(dtype: torch.dtype) -> None:
    """They are float32 afterwards, in memory of their own."""
    given = torch.tensor([[1.0, -2.0], [0.5, 4.0], [0.25, 8.0]]).to(dtype)

    model = _fill(_tensors(weight=given))

    assert model.weight.dtype == torch.float32
    assert torch.equal(model.weight, given.float())
    assert model.weight.data_ptr() != given.data_ptr()


@pytest.mark.parametrize("kind", [torch.int8, torch.uint8, torch.bool, torch.int64])
def test_other_types_are_refused(kind: torch.dtype) -> None:
    """A whole number is no weight, whatever it would become."""
    with pytest.raises(BaseNotLoadable, match=r"weight of the unet of x is .*floating point"):
        _fill(_tensors(weight=torch.ones(3, 2, dtype=kind)))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("place", [0, 5])
def test_unbounded_weight_is_refused(value: float, place: int) -> None:
    """One number of a tail is enough."""
    weight = torch.ones(6)
    weight[place] = value

    with pytest.raises(BaseNotLoadable, match="weight of the unet of x holds NaN or infinity"):
        _fill(_tensors(weight=weight.reshape(3, 2)))


def test_overflow_of_half_precision_is_refused() -> None:
    """What float32 says and float16 cannot is refused where it is served in float16."""
    tensors = _tensors(bias=torch.tensor([0.0, -70_000.0, 1.0]))

    assert _fill(tensors, dtype=torch.bfloat16).bias[1] == -70_000
    with pytest.raises(BaseNotLoadable, match=r"7e\+04, which float16 cannot say") as caught:
        _fill(tensors, dtype=torch.float16)

    assert "--dtype bfloat16" in caught.value.hint


def test_missing_weight_is_named() -> None:
    """It is never made up."""
    with pytest.raises(BaseNotLoadable, match="lacks 1 weight of its unet, bias among them"):
        _fill({"weight": torch.ones(3, 2)})


def test_other_shape_is_named() -> None:
    """Weights and configuration of two models."""
    with pytest.raises(BaseNotLoadable, match=r"is \[3, 4\], and its configuration says \[3, 2\]"):
        _fill(_tensors(weight=torch.ones(3, 4)))


@pytest.mark.parametrize(
    ("found", "like", "is_fit"),
    [
        ((3, 2), (3, 2), True),
        ((3, 2, 1, 1), (3, 2), True),
        ((3, 2), (3, 2, 1, 1), True),
        ((3, 2, 3, 3), (3, 2), False),
        ((2, 3), (3, 2), False),
        ((6,), (3, 2), False),
        ((), (1,), False),
    ],
)
def test_kernel_of_one_is_a_matrix(
    found: tuple[int, ...], like: tuple[int, ...], is_fit: bool
) -> None:
    """Old files keep attention as convolutions of 1x1."""
    assert fits(torch.Size(found), like=torch.Size(like)) is is_fit
