# SPDX-License-Identifier: Apache-2.0
"""One parameter and a stack, folded in order: equal to the formulas in float64."""

import pytest
import torch

from tabard_server.adapters.host_adapter import (
    HostChange,
)
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
