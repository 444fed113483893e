# SPDX-License-Identifier: Apache-2.0
"""One parameter and a stack, folded in order: equal to the formulas in float64."""

import pytest
import torch

from tabard_server.adapters.host_adapter import (
    HostChange,
)
from tabard_server.engine.merged.folding import Contribution, first_not_finite, fold_into
from tests.server.engine.merged.random_changes import (
    Model,
    adapter,
    copy_of,
    dense,
    pair,
    worn_state,
)


@pytest.fixture
def model() -> Model:
    torch.manual_seed(3)
    return Model().double().requires_grad_(False)


def test_stack_is_folded_in_order(model: Model) -> None:
    """Pairs, magnitudes of both sides and dense changes act one after the other on one weight."""
    base = model.conv.weight.clone()
    rows, columns = pair(base, axis="outputs"), pair(base, axis="inputs")
    change = dense("conv.weight", base)
    stack = [
        (adapter("a", {"conv": rows}), 0.7),
        (adapter("b", changes=[change]), -0.4),
        (adapter("c", {"conv": columns}), 1.5),
    ]
    merged = copy_of(model)

    merged.merge(stack)

    expected = base.clone()
    for weight, layer in ((0.7, rows), (None, None), (1.5, columns)):
        if layer is None or weight is None:
            expected = expected - 0.4 * 0.5 * change.parts["diff"].double()
            continue
        delta = weight * (layer.up.T @ layer.down).view(base.shape)
        assert layer.magnitude is not None
        kept = 0 if layer.magnitude_axis == "outputs" else 1
        others = [axis for axis in range(4) if axis != kept]
        length = (base + delta).square().sum(others, keepdim=True).sqrt()
        expected = (expected + delta) * layer.magnitude.view(length.shape) / length
    found = worn_state(model, merged)["conv.weight"]
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


def test_magnitude_scales_changes_too(model: Model) -> None:
    """A DoRA on a LoHa gives the changed rows its lengths."""
    base = model.conv.weight.clone()
    halves = {"w1_a": (6, 2), "w1_b": (2, 36), "w2_a": (6, 2), "w2_b": (2, 36)}
    parts = {name: torch.randn(shape) for name, shape in halves.items()}
    magnitude = 1 + torch.rand(6)
    change = HostChange(
        component="unet",
        parameter="conv.weight",
        method="hadamard",
        scale=0.25,
        options={"magnitude_axis": "outputs"},
        parts={**parts, "magnitude": magnitude},
    )
    merged = copy_of(model)

    merged.merge([(adapter("a", changes=[change]), 0.6)])

    wide = {name: part.double() for name, part in parts.items()}
    delta = (wide["w1_a"] @ wide["w1_b"]) * (wide["w2_a"] @ wide["w2_b"]) * 0.6 * 0.25
    rows = base.flatten(1) + delta
    rows = rows / rows.norm(dim=1, keepdim=True) * magnitude.double().view(-1, 1)
    found = worn_state(model, merged)["conv.weight"]
    torch.testing.assert_close(found.flatten(1), rows, rtol=1e-12, atol=1e-12)


def folded(pristine: torch.Tensor, *contributions: Contribution) -> torch.Tensor:
    """Fold into a buffer of garbage, and check what is said of it."""
    buffer = torch.full_like(pristine, 7.0)
    total = fold_into(buffer, pristine=pristine, contributions=contributions)
    torch.testing.assert_close(total, buffer.sum(dtype=total.dtype))
    return buffer


@pytest.mark.parametrize("shape", [(6, 4), (6, 4, 3, 3)])
@pytest.mark.parametrize("is_pixel_first", [False, True])
def test_pairs_are_added_as_products(shape: tuple[int, ...], is_pixel_first: bool) -> None:
    """`W + w up^T down` for each, whatever the memory's order; the pristine weight stays."""
    pristine = torch.randn(shape, dtype=torch.float64)
    if is_pixel_first and pristine.dim() == 4:
        pristine = pristine.to(memory_format=torch.channels_last)
    before, pairs = pristine.clone(), [(0.5, pair(pristine)), (-2.0, pair(pristine, rank=3))]

    found = folded(pristine, *(Contribution(weight=w, layers=[one]) for w, one in pairs))

    expected = before + sum(w * (one.up.T @ one.down).view(shape) for w, one in pairs)
    torch.testing.assert_close(found, expected)
    assert torch.equal(pristine, before)


@pytest.mark.parametrize("axis", ["outputs", "inputs"])
def test_magnitude_sets_the_lengths(axis: str) -> None:
    """A DoRA's rows (or columns) are as long as it says."""
    pristine = torch.randn(6, 4, dtype=torch.float64)
    one = pair(pristine, axis=axis)
    assert one.magnitude is not None

    found = folded(pristine, Contribution(weight=0.7, layers=[one]))

    lengths = found.norm(dim=1 if axis == "outputs" else 0)
    torch.testing.assert_close(lengths, one.magnitude)


def test_vector_takes_whole_changes() -> None:
    """A bias or a norm has no pair, and its difference counts by scale and weight."""
    pristine = torch.randn(6, dtype=torch.float64)
    change = dense("norm.bias", pristine)

    found = folded(pristine, Contribution(weight=0.3, changes=[change]))

    torch.testing.assert_close(found, pristine + 0.3 * 0.5 * change.parts["diff"].double())


def test_first_broken_buffer_is_named() -> None:
    """NaN and Inf are found by their sums; a sum that overflows alone is no fault."""
    whole = torch.ones(4)
    huge = torch.full((4,), torch.finfo(torch.float32).max)
    broken = torch.tensor([1.0, float("nan")])
    buffers = [whole, huge, broken, broken]

    assert first_not_finite(buffers, sums=[one.sum() for one in buffers]) == 2
    assert first_not_finite(buffers[:2], sums=[one.sum() for one in buffers[:2]]) == -1
    assert first_not_finite([], sums=[]) == -1
