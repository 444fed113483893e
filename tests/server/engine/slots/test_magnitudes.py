# SPDX-License-Identifier: Apache-2.0
"""Magnitudes as a slot stores them, and how far they scale, against the formulas themselves."""

import pytest
import torch
from torch import nn

from tabard_server.adapters.host_adapter import PackedLayer, lay_out
from tabard_server.engine.slots import magnitudes
from tabard_server.engine.slots.magnitudes import MagnitudeCache, excesses, measure, squares
from tabard_server.engine.slots.slot_table import SlotTable
from tabard_server.engine.slots.slotted_layers import add_slots
from tabard_server.engine.slots.worn_rows import Binding


def test_small_scales_survive_float16() -> None:
    """Magnitudes are compared with the base's lengths before they are rounded."""
    torch.manual_seed(1)
    layer = nn.Linear(64, 48).half().requires_grad_(False)
    lengths = layer.weight.float().norm(dim=1)
    magnitude = lengths * (1 + torch.randn(48) * 1e-3)
    packed = PackedLayer(
        down=torch.randn(2, 64) * 1e-3,
        up=torch.randn(2, 48) * 1e-3,
        magnitude=magnitude,
        magnitude_axis="outputs",
    )
    key = ("unet", "linear")
    worn = add_slots(layer, binding=Binding(), rank_rows=9)
    table = SlotTable({key: worn}, rank_rows=9)

    (slot,) = table.acquire([lay_out({key: packed}, digest="a", dtype=torch.float16)])

    stored = worn.slot_up[slot.magnitudes[0]].float()
    torch.testing.assert_close(stored, magnitude / lengths - 1, rtol=2e-3, atol=2e-6)


def random(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def dora(weight: torch.Tensor, *, axis: str, seed: int = 2) -> PackedLayer:
    """Random factors with a magnitude for a weight."""
    width = weight.shape[0] if axis == "outputs" else weight.shape[1]
    return PackedLayer(
        down=random(3, weight[0].numel(), seed=seed),
        up=random(3, weight.shape[0], seed=seed + 1),
        magnitude=random(width, seed=seed + 2).abs() + 1,
        magnitude_axis=axis,
    )


def lengths(weight: torch.Tensor, *, axis: str) -> torch.Tensor:
    """Return the lengths of the rows, or of the columns with their kernel."""
    kept = 0 if axis == "outputs" else 1
    return weight.square().sum([d for d in range(weight.dim()) if d != kept]).sqrt()


def scale_of(packed: PackedLayer, *, weight: torch.Tensor, at: float) -> torch.Tensor:
    """Return `m / |W + w BA|`, by the formula itself."""
    changed = weight + at * (packed.up.T @ packed.down).view(weight.shape)
    assert packed.magnitude is not None
    return packed.magnitude / lengths(changed, axis=packed.magnitude_axis)


@pytest.mark.parametrize("at", [1.0, 0.5, -0.7, 0.0])
@pytest.mark.parametrize("axis", ["outputs", "inputs"])
@pytest.mark.parametrize("shape", [(5, 4), (5, 4, 3, 3)])
def test_three_vectors_give_every_weight(shape: tuple[int, ...], axis: str, at: float) -> None:
    """What is stored once scales as the formula does at any weight."""
    weight = random(*shape)
    packed = dora(weight, axis=axis)

    stored = measure(packed, weight=weight)
    found = excesses(stored[None], weight=torch.tensor([[[at]]]).double())

    expected = scale_of(packed, weight=weight, at=at) - 1
    torch.testing.assert_close(found[0, 0], expected)


def test_later_magnitudes_scale_earlier_ones() -> None:
    """Of two in a stack, the first is scaled by both and the second by its own."""
    weight = random(5, 4)
    first, second = dora(weight, axis="outputs"), dora(weight, axis="outputs", seed=9)
    stored = torch.cat([measure(one, weight=weight) for one in (first, second)])

    found = excesses(stored[None], weight=torch.tensor([[[0.6], [-0.3]]]).double())

    one, other = (
        scale_of(packed, weight=weight, at=at) for packed, at in ((first, 0.6), (second, -0.3))
    )
    torch.testing.assert_close(found[0] + 1, torch.stack([one * other, other]))


def test_empty_rank_rows_are_neutral() -> None:
    """Zeros, as padding is, scale nothing at any weight."""
    found = excesses(torch.zeros(2, 6, 5), weight=torch.full((2, 2, 1), 3.0))

    assert not found.any()


@pytest.mark.parametrize("axis", ["outputs", "inputs"])
def test_squares_are_of_rows_or_columns(axis: str) -> None:
    """Summed over the kernel, in float32 at least."""
    weight = random(5, 4, 3, 3).half()

    found = squares(weight, axis=axis)

    torch.testing.assert_close(found, lengths(weight.float(), axis=axis).square())
    assert found.dtype == torch.float32


def test_base_without_length_is_not_finite() -> None:
    """There is nothing to compare a magnitude with, and the numbers say so."""
    weight = random(5, 4)
    weight[2] = 0.0

    found = measure(dora(weight, axis="outputs"), weight=weight)

    assert found.isfinite().all(dim=0).tolist() == [True, True, False, True, True]


def test_measures_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """By release and layer; the longest unused is forgotten, the base's lengths never."""
    layer, cache = nn.Linear(4, 5).double(), MagnitudeCache()
    packed, key = dora(layer.weight.detach(), axis="outputs"), ("unet", "layer")
    monkeypatch.setattr(magnitudes, "_ADAPTERS_KEPT_MAX", 2)

    first = cache.measure(packed, key=key, layer=layer, digest="a")
    assert cache.measure(packed, key=key, layer=layer, digest="a") is first
    for digest in "bc":
        cache.measure(packed, key=key, layer=layer, digest=digest)

    again = cache.measure(packed, key=key, layer=layer, digest="a")
    assert again is not first and torch.equal(again, first)
    assert len(cache._base) == 1
