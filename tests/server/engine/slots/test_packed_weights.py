# SPDX-License-Identifier: Apache-2.0
"""A packed weight gives the bits of the plain call, is bounded, and follows what is written."""

import gc
from collections.abc import Callable, Iterator
from itertools import count

import pytest
import torch
from torch import nn

from tabard_server.adapters.host_adapter import PackedLayer, lay_out
from tabard_server.engine.merged.merged_copy import MergedWeights
from tabard_server.engine.slots import packed_weights
from tabard_server.engine.slots.binding import bind_rows
from tabard_server.engine.slots.packed_weights import PackedWeights, can_pack, packable_bytes
from tabard_server.engine.slots.slot_table import SlotTable
from tabard_server.engine.slots.slotted_layers import add_slots
from tabard_server.engine.slots.worn_rows import Binding

CPU = torch.device("cpu")
KINDS: dict[str, Callable[[], nn.Conv2d]] = {
    "3x3": lambda: nn.Conv2d(64, 96, 3, padding=1),
    "3x3 without bias": lambda: nn.Conv2d(64, 96, 3, padding=1, bias=False),
    "3x3 stride 2": lambda: nn.Conv2d(64, 64, 3, stride=2, padding=1),
    "3x3 of few inputs": lambda: nn.Conv2d(4, 64, 3, padding=1),
    "3x3 of few outputs": lambda: nn.Conv2d(64, 4, 3, padding=1),
    "3x3 of odd widths": lambda: nn.Conv2d(37, 51, 3, padding=1),
    "3x3 dilated": lambda: nn.Conv2d(32, 32, 3, padding=2, dilation=2),
    "3x3 in groups": lambda: nn.Conv2d(64, 96, 3, padding=1, groups=2),
    "5x3": lambda: nn.Conv2d(32, 48, (5, 3), padding=(2, 0)),
    "1x1": lambda: nn.Conv2d(64, 96, 1),
    "1x1 stride 2": lambda: nn.Conv2d(64, 96, 1, stride=2),
}
SIZES = ((1, 8, 8), (2, 16, 12), (8, 4, 4), (3, 9, 7))
"""Batch, height, width; of the first torch makes a product of its own, with other bits."""

pytestmark = pytest.mark.skipif(
    not can_pack(device=CPU, dtype=torch.float32), reason="this build of torch packs nothing"
)


@pytest.fixture(autouse=True)
def _repeatable() -> Iterator[None]:
    torch.manual_seed(5)
    with torch.inference_mode():
        yield


def packing(bytes_max: int | None = None, *, pays: bool = True) -> PackedWeights:
    """Packed weights whose trials always end in one way: each call takes longer, or less."""
    numbers = count(1)
    clock = (lambda: next(numbers) ** 2.0) if pays else (lambda: next(numbers) ** 0.5)
    return PackedWeights(bytes_max=bytes_max, clock=clock)


def convolution(new: Callable[[], nn.Conv2d] = KINDS["3x3"]) -> nn.Conv2d:
    """A layer as a base has it: its weight counts how often it is written."""
    with torch.inference_mode(mode=False):
        return new().requires_grad_(False).to(memory_format=torch.channels_last)


def images(layer: nn.Conv2d, size: tuple[int, int, int] = (2, 8, 8)) -> torch.Tensor:
    batch, height, width = size
    found = torch.randn(batch, layer.in_channels, height, width)
    return found.contiguous(memory_format=torch.channels_last)


def run(layer: nn.Conv2d, x: torch.Tensor, packed: PackedWeights) -> torch.Tensor:
    """What the layer gives with its weight packed, if it is."""
    found = packed.find(layer, x, bias=layer.bias)
    if found is None:
        return layer(x)  # type: ignore[no-any-return]
    return packed_weights.convolve(layer, x, found, bias=layer.bias)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", KINDS)
def test_packed_gives_the_same_bits(kind: str, size: tuple[int, int, int]) -> None:
    """Of any kind of convolution; one pixel's kernel is never packed."""
    layer = convolution(KINDS[kind])
    x, packed = images(layer, size), packing()

    found = run(layer, x, packed)

    assert torch.equal(found, layer(x))
    assert found.is_contiguous(memory_format=torch.channels_last)
    if kind in ("3x3", "3x3 stride 2", "3x3 without bias") and size[0] > 1:
        assert packed.bytes >= layer.weight.nbytes
    if kind.startswith("1x1"):
        assert packed.bytes == 0


@pytest.mark.parametrize("magnitude", ["", "outputs", "inputs"])
def test_slotted_layer_wears_the_same_bits(magnitude: str) -> None:
    """Beside a packed weight adapters and magnitudes add what they add beside a plain one."""
    layers = [convolution() for _ in range(2)]
    layers[1].load_state_dict(layers[0].state_dict())
    weight = layers[0].weight
    width = {"outputs": weight.shape[0], "inputs": weight.shape[1]}.get(magnitude)
    adapter = lay_out(
        {
            ("unet", "layer"): PackedLayer(
                down=torch.randn(3, weight[0].numel()),
                up=torch.randn(3, weight.shape[0]),
                magnitude=None if width is None else 1 + torch.rand(width),
                magnitude_axis=magnitude,
            )
        },
        digest="a",
    )
    x, found, packed = images(layers[0]), [], packing()

    for layer, own in zip(layers, (packed, None), strict=True):
        binding = Binding()
        slotted = add_slots(layer, binding=binding, rank_rows=9, packed=own)
        (slot,) = SlotTable({("unet", "layer"): slotted}, rank_rows=9).acquire([adapter])
        for stacks in ([[(slot, (0.7,))], []], [[], []]):
            bind_rows(binding, stacks=stacks, samples_per_row=1, device=CPU, dtype=torch.float32)
            found.append(slotted(x))
            binding.clear()

    assert packed.bytes > 0
    assert torch.equal(found[0], found[2]) and torch.equal(found[1], found[3])
    assert not torch.equal(found[0], found[1])


def test_merged_stack_is_packed_anew() -> None:
    """What a stack changes is packed for it, beside the base's own, which stays."""
    model, packed = nn.Sequential(), packing()
    with torch.inference_mode(mode=False):
        layer = add_slots(convolution(), binding=Binding(), rank_rows=1, packed=packed)
    assert isinstance(layer, nn.Conv2d)
    model.add_module("layer", layer)
    merged = MergedWeights({"unet": model}, device=CPU, bytes_max=None)
    x = images(layer)
    found = [model(x)]
    for name in ("a", "b"):
        merged.merge([(adapter_of(layer, digest=name), 1.0)])
        with merged.wearing("unet"):
            found.append(model(x))
            plain = nn.Conv2d._conv_forward(layer, x, layer.weight, layer.bias)
            assert torch.equal(found[-1], plain)
            assert packed.bytes == 2 * layer.weight.nbytes

    assert torch.equal(model(x), found[0])
    assert not torch.equal(found[1], found[2]) and not torch.equal(found[0], found[1])


def adapter_of(layer: nn.Conv2d, *, digest: str) -> object:
    factors = PackedLayer(
        down=torch.randn(2, layer.weight[0].numel()), up=torch.randn(2, layer.out_channels)
    )
    return lay_out({("unet", "layer"): factors}, digest=digest)


def test_new_sizes_share_a_layout() -> None:
    """A size that was never seen gives its own bits; of equal layouts one lies in memory."""
    layer, packed = convolution(), packing()
    found = {}
    for size in ((1, 4, 4), (2, 4, 4), (3, 4, 4), (4, 4, 4), (1, 4, 4)):
        x = images(layer, size)
        assert torch.equal(run(layer, x, packed), layer(x))
        found[size] = packed.find(layer, x, bias=layer.bias)

    layouts = {id(one) for one in found.values() if one is not None}
    assert packed.bytes == len(layouts) * layer.weight.nbytes
    assert len(layouts) < len(found)


def test_sizes_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many sizes those that were used last are remembered, and what no size needs goes."""
    monkeypatch.setattr(packed_weights, "SIZES_MAX", 2)
    layer, packed = convolution(), packing()
    used = [(batch, 4, 4) for batch in (1, 2, 1, 3)]
    for size in used:
        x = images(layer, size)
        assert torch.equal(run(layer, x, packed), layer(x))

    (kept,) = packed._kept.values()
    assert [size[0] for size, _ in kept.by_size] == [1, 3]


def test_room_is_bounded() -> None:
    """Who comes when it is full does without, whichever sizes come; what goes makes room."""
    layers = [convolution() for _ in range(3)]
    room = 2 * layers[0].weight.nbytes
    packed = packing(room)

    for size in SIZES:
        for layer in layers:
            x = images(layer, size)
            assert torch.equal(run(layer, x, packed), layer(x))
            assert packed.bytes <= room
    assert packed.bytes == room

    del layers, layer
    gc.collect()
    assert packed.bytes == 0


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_dtypes_are_left_plain(dtype: torch.dtype) -> None:
    """Packed is what lies on a CPU in float32."""
    layer, packed = convolution(), packing()
    with torch.inference_mode(mode=False):
        layer.to(dtype)

    assert packed.find(layer, images(layer).to(dtype), bias=layer.bias) is None
    assert not can_pack(device=CPU, dtype=dtype)
    assert not can_pack(device=torch.device("cuda"), dtype=torch.float32)


def test_shapes_without_memory_are_left_plain() -> None:
    """A dry pass packs nothing, and an input in another order is called as ever."""
    layer, packed = convolution(), packing()

    assert packed.find(layer, images(layer).to("meta"), bias=None) is None
    assert packed.find(layer, images(layer).contiguous(), bias=None) is None
    assert packed.bytes == 0


def test_what_takes_longer_is_left_plain() -> None:
    """A size for which the packed call is slower; it is tried once."""
    layer, packed = convolution(), packing(pays=False)

    assert [packed.find(layer, images(layer), bias=None) for _ in range(2)] == [None, None]
    assert packed.bytes == 0


def test_other_bits_are_left_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """A packed call that differs in one bit is not made."""
    plain = packed_weights.convolve

    def differs(*arguments: object, **options: object) -> torch.Tensor:
        found = plain(*arguments, **options)  # type: ignore[arg-type]
        found.permute(0, 2, 3, 1).view(-1)[7] *= 1 + 2**-20
        return found

    monkeypatch.setattr(packed_weights, "convolve", differs)
    layer, packed = convolution(), packing()

    assert packed.find(layer, images(layer), bias=layer.bias) is None


def test_large_outputs_are_left_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where laying out is a small part of a call, nothing is tried: that takes a few calls."""
    monkeypatch.setattr(packed_weights, "POSITIONS_MAX", 2 * 8 * 8 - 1)
    layer, packed = convolution(), packing()

    assert packed.find(layer, images(layer), bias=None) is None
    assert packed.find(layer, images(layer, (2, 8, 7)), bias=None) is not None


def test_trials_leave_the_generator_alone() -> None:
    """Whoever draws noise in a pass draws what it would have drawn."""
    layer, x = convolution(), images(convolution())
    before = torch.get_rng_state()

    packing().find(layer, x, bias=layer.bias)

    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("kind", KINDS)
def test_planned_bytes_hold_what_is_packed(kind: str) -> None:
    """Blocks of outputs are filled up, and so they are planned."""
    layer, packed = convolution(KINDS[kind]), packing()

    run(layer, images(layer), packed)

    assert packed.bytes <= packable_bytes(nn.Sequential(layer))
