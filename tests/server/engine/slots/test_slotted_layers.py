# SPDX-License-Identifier: Apache-2.0
"""Every kind of layer wears what peft wears, to 1e-9 in float64, alone and in mixed batches."""

import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from peft import LoraConfig, inject_adapter_in_model
from torch import nn

from tabard_server.adapters.host_adapter import PackedLayer
from tabard_server.engine_port.errors import AdapterMismatch
from tests.server.engine.slots.one_layer import KEY, WornLayer, adapter_of, merge

TOLERANCE = 1e-9

LAYERS: dict[str, tuple[Any, tuple[int, ...]]] = {
    "linear": (lambda: nn.Linear(12, 20), (5, 12)),
    "linear without bias": (lambda: nn.Linear(12, 20, bias=False), (5, 12)),
    "linear of vectors": (lambda: nn.Linear(12, 20), (12,)),
    "conv 1x1": (lambda: nn.Conv2d(6, 10, 1), (6, 5, 4)),
    "conv 1x1 stride 2": (lambda: nn.Conv2d(6, 10, 1, stride=2), (6, 5, 4)),
    "conv 3x3": (lambda: nn.Conv2d(6, 10, 3, padding=1), (6, 5, 4)),
    "conv 3x3 without bias": (lambda: nn.Conv2d(6, 10, 3, padding=1, bias=False), (6, 5, 4)),
    "conv 3x3 stride 2": (lambda: nn.Conv2d(6, 10, 3, stride=2, padding=1), (6, 7, 8)),
    "conv 5x3 uneven": (lambda: nn.Conv2d(6, 10, (5, 3), padding=(2, 0)), (6, 7, 8)),
    "conv 3x3 dilated": (lambda: nn.Conv2d(6, 10, 3, padding=2, dilation=2), (6, 7, 8)),
}

# peft runs its own convolution without the base's dilation.
LAYERS_OF_PEFT = [name for name in LAYERS if "dilated" not in name]


@pytest.fixture(autouse=True)
def _float64() -> Iterator[None]:
    torch.manual_seed(7)
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def random_layer(layer: Any, *, rank: int = 3, axis: str = "", scale: float = 0.3) -> PackedLayer:
    """Random factors for a layer, and a magnitude not far from the base's own lengths."""
    weight = layer.weight.detach()
    magnitude = None
    if axis:
        others = [d for d in range(weight.dim()) if d != (axis == "inputs")]
        lengths = weight.square().sum(others).sqrt()
        magnitude = lengths * (1 + 0.4 * torch.rand_like(lengths))
    return PackedLayer(
        down=torch.randn(rank, weight[0].numel()) * scale,
        up=torch.randn(rank, weight.shape[0]) * scale,
        magnitude=magnitude,
        magnitude_axis=axis,
    )


def peft_layer(layer: nn.Module, adapters: dict[str, tuple[PackedLayer, float]]) -> nn.Module:
    """The layer as peft wears these, active in this order at these weights."""
    model = nn.Sequential()
    model.add_module("layer", layer)
    for name, (packed, _) in adapters.items():
        rank = len(packed.down)
        config = LoraConfig(
            r=rank,
            lora_alpha=rank,
            target_modules=["layer"],
            use_dora=packed.magnitude is not None,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # about a second adapter
            inject_adapter_in_model(config, model, name)
    worn: Any = model.get_submodule("layer")
    worn.set_adapter(list(adapters))
    for name, (packed, weight) in adapters.items():
        down, up = worn.lora_A[name].weight, worn.lora_B[name].weight
        down.data = packed.down.view(down.shape).clone()
        up.data = packed.up.T.reshape(up.shape).clone()
        if packed.magnitude is not None:
            vector = worn.lora_magnitude_vector[name].weight
            vector.data = packed.magnitude.view(vector.shape).clone()
        worn.set_scale(name, weight)
    return model.eval()


def assert_wears_like_peft(kind: str, stack: list[tuple[PackedLayer, float]]) -> None:
    """One row of two samples gives what peft gives."""
    make, shape = LAYERS[kind]
    base = make()
    packed = [(random_layer(base, axis=axis, rank=rank), w) for (axis, rank), w in stack]
    x = torch.randn(2, *shape)
    worn = [(adapter_of(one, digest=str(n)), w) for n, (one, w) in enumerate(packed)]

    found = WornLayer(base).run(x, stacks=[worn])

    with torch.no_grad():
        expected = peft_layer(base, {str(n): one for n, one in enumerate(packed)})(x)
    torch.testing.assert_close(found, expected, rtol=TOLERANCE, atol=TOLERANCE)


@pytest.mark.parametrize("weight", [1.0, 0.4, -0.7, 0.0])
@pytest.mark.parametrize("axis", ["", "outputs"])
@pytest.mark.parametrize("kind", LAYERS_OF_PEFT)
def test_layer_wears_like_peft(kind: str, axis: str, weight: float) -> None:
    """LoRA and DoRA on every kind of layer, at any weight."""
    assert_wears_like_peft(kind, [((axis, 3), weight)])


STACKS = {
    "two LoRAs": [(("", 2), 0.5), (("", 5), -0.8)],
    "DoRA before LoRA": [(("outputs", 2), 0.9), (("", 3), 0.6)],
    "LoRA before DoRA": [(("", 3), 0.6), (("outputs", 2), 0.9)],
    "two DoRAs": [(("outputs", 3), 0.7), (("outputs", 2), 1.2)],
    "DoRA between LoRAs": [(("", 1), 0.4), (("outputs", 2), 0.9), (("", 3), -0.5)],
    "three DoRAs and a LoRA": [
        (("outputs", 1), 0.8),
        (("outputs", 2), -0.4),
        (("", 2), 1.0),
        (("outputs", 1), 0.6),
    ],
}


@pytest.mark.parametrize("name", STACKS)
@pytest.mark.parametrize("kind", ["linear", "conv 1x1", "conv 3x3 stride 2"])
def test_stack_wears_like_peft(kind: str, name: str) -> None:
    """In a stack each magnitude scales what was worn before it, as in peft."""
    assert_wears_like_peft(kind, STACKS[name])  # type: ignore[arg-type]


def test_order_of_magnitudes_matters() -> None:
    """The comparison above means something: turned around, a stack is another one."""
    base = nn.Linear(12, 20)
    lora = adapter_of(random_layer(base), digest="lora")
    dora = adapter_of(random_layer(base, axis="outputs"), digest="dora")
    worn_layer, x = WornLayer(base), torch.randn(1, 5, 12)

    one = worn_layer.run(x, stacks=[[(lora, 1.0), (dora, 1.0)]])
    other = worn_layer.run(x, stacks=[[(dora, 1.0), (lora, 1.0)]])

    assert (one - other).abs().max() > 0.01


@pytest.mark.parametrize(
    "axes", [("inputs",), ("inputs", ""), ("", "inputs", "outputs"), ("outputs", "inputs")]
)
@pytest.mark.parametrize("kind", ["linear", "conv 1x1", "conv 3x3", "conv 3x3 stride 2"])
def test_magnitudes_of_inputs_merge(kind: str, axes: tuple[str, ...]) -> None:
    """Older DoRAs scale columns of the weight: equal to the merged weight, in stacks too."""
    make, shape = LAYERS[kind]
    base = make()
    stack = [(random_layer(base, axis=axis), 0.6 + n / 10) for n, axis in enumerate(axes)]
    x = torch.randn(2, *shape)
    worn = [(adapter_of(one, digest=str(n)), w) for n, (one, w) in enumerate(stack)]

    found = WornLayer(base).run(x, stacks=[worn, []])

    with torch.no_grad():
        expected = torch.cat([merge(base, stack)(x[:1]), base(x[1:])])
    torch.testing.assert_close(found, expected, rtol=TOLERANCE, atol=TOLERANCE)


@pytest.mark.parametrize("samples", [1, 2])
@pytest.mark.parametrize("kind", LAYERS)
def test_rows_of_all_kinds_share_pass(kind: str, samples: int) -> None:
    """Rows with LoRA, DoRA of either side, stacks and nothing equal each its own merged weight."""
    make, shape = LAYERS[kind]
    base = make()
    kinds = [("", 5), ("outputs", 2), ("inputs", 3), ("", 1)]
    packed = [random_layer(base, axis=axis, rank=rank) for axis, rank in kinds]
    adapters = [adapter_of(one, digest=str(n)) for n, one in enumerate(packed)]
    worn = [[], [(0, 1.0)], [(1, 0.7)], [(2, 1.3)], [(3, -1.0), (1, 1.0), (2, 0.5)], [(0, 0.2)]]
    x = torch.randn(samples * len(worn), *shape)

    stacks = [[(adapters[n], w) for n, w in row] for row in worn]
    found = WornLayer(base).run(x, stacks=stacks)

    with torch.no_grad():
        merged = [merge(base, [(packed[n], w) for n, w in row]) for row in worn]
        pairs = zip(merged, x.split(samples), strict=True)
        expected = torch.cat([layer(rows) for layer, rows in pairs])
    torch.testing.assert_close(found, expected, rtol=TOLERANCE, atol=TOLERANCE)


@pytest.mark.parametrize("axis", ["", "outputs", "inputs"])
@pytest.mark.parametrize("kind", ["linear", "conv 3x3"])
def test_weights_by_block_are_those_of_the_layer(kind: str, axis: str) -> None:
    """Beside rows of one weight; 0 of a block wears nothing, where 0 for all keeps a magnitude."""
    make, shape = LAYERS[kind]
    worn = WornLayer(make())
    worn.layer.slot_block = 2
    packed = random_layer(worn.layer, axis=axis)
    adapter = adapter_of(packed, digest="a")
    x = torch.randn(4, *shape)
    blocks = (0.9, 0.1, 0.5, 1.0)

    mixed = worn.run(
        x, stacks=[[(adapter, blocks)], [(adapter, (1.0, 1.0, 0.0, 1.0))], [(adapter, 0.0)], []]
    )

    alone = [worn.run(x[n : n + 1], stacks=[[(adapter, w)]]) for n, w in ((0, 0.5), (2, 0.0))]
    bare = worn.run(x, stacks=[[], [], [], []])
    torch.testing.assert_close(mixed[:1], alone[0], rtol=TOLERANCE, atol=TOLERANCE)
    torch.testing.assert_close(mixed[1:2], bare[1:2], rtol=TOLERANCE, atol=TOLERANCE)
    torch.testing.assert_close(mixed[2:3], alone[1], rtol=TOLERANCE, atol=TOLERANCE)
    torch.testing.assert_close(mixed[3:], bare[3:], rtol=TOLERANCE, atol=TOLERANCE)
    assert not torch.allclose(mixed[:1], bare[:1], rtol=0, atol=0.01)


@pytest.mark.parametrize("kind", ["linear", "conv 1x1", "conv 3x3"])
def test_poisoned_row_harms_only_itself(kind: str) -> None:
    """NaN in one row's factors or magnitudes does not reach its neighbours."""
    make, shape = LAYERS[kind]
    base = make()
    good = adapter_of(random_layer(base, axis="outputs"), digest="good")
    bad = adapter_of(random_layer(base, axis="outputs"), digest="bad")
    worn_layer, x = WornLayer(base), torch.randn(3, *shape)
    expected = worn_layer.run(x, stacks=[[(good, 1.0)], [], [(good, 0.5)]])
    with worn_layer.slots.held([bad]) as (slot,):
        worn_layer.layer.slot_up[list((*slot.ranks, *slot.magnitudes))] = float("nan")

    found = worn_layer.run(x, stacks=[[(good, 1.0)], [(bad, 1.0)], [(good, 0.5)]])

    assert found[1].isnan().all()
    torch.testing.assert_close(found[::2], expected[::2], rtol=0, atol=0)


def test_bare_layer_is_untouched() -> None:
    """Without adapters the output is the base's own, to the bit, also after a history."""
    base = nn.Conv2d(6, 10, 3, padding=1)
    worn_layer, x = WornLayer(base), torch.randn(2, 6, 5, 4)
    worn = adapter_of(random_layer(base, axis="inputs"), digest="a")
    worn_layer.run(x, stacks=[[(worn, 1.0)], []])

    found = worn_layer.run(x, stacks=[[], []])

    with torch.no_grad():
        assert torch.equal(found, base(x))


@pytest.mark.parametrize(("axis", "part"), [("outputs", 0), ("inputs", 1)])
def test_magnitude_without_length_is_refused(axis: str, part: int) -> None:
    """Where the base itself is zero, a magnitude has nothing to scale: refused, nothing left."""
    base = nn.Linear(12, 20)
    base.weight.data.select(part, 4).zero_()
    worn_layer = WornLayer(base)
    adapter = adapter_of(random_layer(base, axis=axis), digest="a")

    with pytest.raises(AdapterMismatch, match="is zero"):
        worn_layer.slots.acquire([adapter])

    assert worn_layer.slots.residents() == []
    assert not worn_layer.layer.slot_up.any() and not worn_layer.layer.slot_down.any()


def test_magnitude_of_other_width_is_refused() -> None:
    """A magnitude of the wrong side or length never reaches a slot."""
    base = nn.Linear(12, 20)
    packed = random_layer(base, axis="outputs")
    turned = PackedLayer(
        down=packed.down, up=packed.up, magnitude=packed.magnitude, magnitude_axis="inputs"
    )

    with pytest.raises(AdapterMismatch, match="layer"):
        WornLayer(base).slots.acquire([adapter_of(turned, digest="a")])

    assert KEY == ("unet", "layer")
