# SPDX-License-Identifier: Apache-2.0
"""The merged copy: worn by pointer, made from the pristine base, bounded, and recoverable."""

import random
from typing import Any

import pytest
import torch

from tabard_server.adapters.host_adapter import (
    HostAdapter,
)
from tabard_server.engine.merged.merged_copy import MergedWeights
from tabard_server.engine_port.errors import AdapterMismatch, MergedTooLarge
from tabard_server.engine_port.stack import stack_key
from tabard_server.engine_port.weights.strength import Controls, Point, Strength
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


def test_shared_parameters_are_worn_everywhere(model: Model) -> None:
    """A layer under two names and a weight of two layers change in all their places at once."""
    base = model.state_dict()
    base = {name: value.clone() for name, value in base.items()}
    stack = [
        (adapter("a", changes=[dense("same.weight", model.conv.weight, value=2.0)]), 1.0),
        (adapter("b", changes=[dense("second.weight", model.first.weight, value=4.0)]), 1.0),
        (adapter("c", changes=[dense("first.weight", model.first.weight, value=6.0)]), 1.0),
    ]
    merged = copy_of(model)

    merged.merge(stack)

    found = worn_state(model, merged)
    for name, added in (("conv", 1.0), ("same", 1.0), ("first", 5.0), ("second", 5.0)):
        torch.testing.assert_close(found[f"{name}.weight"], base[f"{name}.weight"] + added)
    assert merged.bytes == model.conv.weight.nbytes + model.first.weight.nbytes


def test_worn_parameters_return_as_they_were(model: Model) -> None:
    """The very objects are put back, also when the block fails; a nested block is a bug."""
    before = dict(model.named_parameters(remove_duplicate=False))
    merged = copy_of(model)
    merged.merge([(adapter("a", {"first": pair(model.first.weight)}), 1.0)])

    with pytest.raises(KeyError), merged.wearing("unet"):
        assert model.second.weight is model.first.weight is not before["first.weight"]
        with pytest.raises(AssertionError, match="worn"), merged.wearing("unet"):
            pass
        with pytest.raises(AssertionError, match="worn"):
            merged.merge([])
        raise KeyError

    after = dict(model.named_parameters(remove_duplicate=False))
    assert all(after[name] is parameter for name, parameter in before.items())
    with merged.wearing("unet"):
        pass


def random_stack(model: Model, rng: random.Random) -> list[tuple[HostAdapter, float]]:
    """Up to three adapters that change random parameters in random ways."""
    stack = []
    for number in range(rng.randrange(4)):
        layers = {
            name: pair(getattr(model, name).weight, axis=rng.choice(["", "outputs", "inputs"]))
            for name in rng.sample(["conv", "first"], rng.randrange(3))
        }
        names = rng.sample(["norm.weight", "norm.bias", "conv.bias", "second.weight"], 2)
        changes = [dense(name, model.get_parameter(name)) for name in names[: rng.randrange(3)]]
        made = adapter(f"{number}-{rng.random()}", layers, changes)
        stack.append((made, rng.uniform(-1, 1)))
    return stack


def test_base_is_bitwise_itself_after_all(model: Model) -> None:
    """After fifty random stacks its bytes and outputs are those before, and so were others'."""
    rng, x = random.Random(5), torch.randn(2, 4, 5, 5, dtype=torch.float64)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    bare = model(x)
    merged = copy_of(model)
    changed = 0

    for _ in range(50):
        stack = random_stack(model, rng)
        merged.merge(stack)
        with merged.wearing("unet"):
            outcome = model(x)
        fresh = copy_of(model)
        fresh.merge(stack)
        with fresh.wearing("unet"):
            assert torch.equal(model(x), outcome)
        assert torch.equal(model(x), bare)
        changed += not torch.equal(outcome, bare)

    assert changed > 25
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_buffers_keep_their_addresses(model: Model) -> None:
    """Another stack is written where the last one was; what it leaves alone is pristine again."""
    merged = copy_of(model)
    merged.merge([(adapter("a", changes=[dense("norm.weight", model.norm.weight)]), 1.0)])
    merged.merge([(adapter("b", {"first": pair(model.first.weight)}), 1.0)])
    with merged.wearing("unet"):
        places = (model.norm.weight, model.first.weight)
    layout = merged.layout

    merged.merge([(adapter("c", {"first": pair(model.first.weight)}), 1.0)])

    with merged.wearing("unet"):
        assert model.norm.weight is places[0]
        assert model.first.weight is places[1]
        assert torch.equal(places[0], merged_pristine(model, "norm.weight"))
    assert merged.layout == layout


def merged_pristine(model: Model, name: str) -> torch.Tensor:
    """The parameter of a model made alike."""
    torch.manual_seed(3)
    return Model().double().get_parameter(name)


def test_same_stack_is_not_merged_twice(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stack is known by digests and weights; what changes no weights is no part of it."""
    stack = [(adapter("a", {"first": pair(model.first.weight)}), 1.0)]
    merged = copy_of(model)
    merged.merge(stack)
    monkeypatch.setattr(merged, "_plan", None)

    merged.merge([*stack, (adapter("words"), 1.0)])

    assert merged.worn == stack_key(stack) == (("a", 1.0),)
    assert stack_key([(stack[0][0], 0.5)]) != merged.worn


def test_copy_wears_the_weight_of_a_part(model: Model) -> None:
    """Its own weight in the UNet; a weight of 0 leaves the parameters as they are."""
    worn = adapter("a", {"first": pair(model.first.weight)})
    merged = copy_of(model)
    merged.merge([(worn, 0.5)])
    with merged.wearing("unet"):
        expected = model.first.weight.clone()

    merged.merge([(worn, Strength(weight=2.0, controls=Controls(unet=(Point(0.5, 0.0),))))])
    with merged.wearing("unet"):
        assert torch.equal(model.first.weight, expected)

    merged.merge([(worn, Strength(weight=2.0, controls=Controls(unet=(Point(0.0, 0.0),))))])
    with merged.wearing("unet"):
        assert torch.equal(model.first.weight, merged_pristine(model, "first.weight"))


def test_what_changes_over_steps_or_places_is_refused(model: Model) -> None:
    """By its name, and the base stays bare."""
    worn = adapter("a", {"first": pair(model.first.weight)})
    merged = copy_of(model)

    for controls in (Controls(end=0.5), Controls(region="left")):
        with pytest.raises(AdapterMismatch, match="a is not worn at every step"):
            merged.merge([(worn, Strength(weight=1.0, controls=controls))])

    assert_bare(model, merged)


def assert_bare(model: Model, merged: MergedWeights) -> None:
    """Nothing is merged, nothing can be worn, and the base is itself."""
    assert merged.worn is None
    with pytest.raises(AssertionError), merged.wearing("unet"):
        pass
    for name, value in model.state_dict().items():
        assert torch.equal(value, merged_pristine(model, name))


def test_failed_merge_is_recovered_from(model: Model) -> None:
    """Whatever goes wrong leaves the base bare, and the next stack is merged as ever."""
    good = [(adapter("good", {"first": pair(model.first.weight)}), 0.5)]
    wrong = pair(torch.zeros(6, 7))
    poison = dense("norm.weight", model.norm.weight, value=float("nan"))
    huge = dense("conv.weight", model.conv.weight, value=1e38)
    zero = pair(model.first.weight, axis="outputs")
    zero.down.fill_(float("inf"))
    bad: dict[str, HostAdapter] = {
        "no such layer": adapter("a", {"third": pair(model.first.weight)}),
        "no such parameter": adapter("b", changes=[dense("first.scale", model.norm.bias)]),
        "of another width": adapter("c", {"first": wrong}),
        "NaN": adapter("d", {"first": pair(model.first.weight)}, [poison]),
        "Inf in a DoRA": adapter("e", {"first": zero}),
        "of another shape": adapter("f", changes=[dense("conv.weight", model.norm.bias)]),
    }
    merged, fresh = copy_of(model), copy_of(model)
    fresh.merge(good)
    merged.merge([(adapter("huge but finite", changes=[huge]), 1.0)])

    for name, culprit in bad.items():
        with pytest.raises(AdapterMismatch) as caught:
            merged.merge([*good, (culprit, 1.0)])
        assert caught.value.hint, name
        assert_bare(model, merged)

    merged.merge(good)
    expected = worn_state(model, fresh)
    assert all(torch.equal(v, expected[k]) for k, v in worn_state(model, merged).items())


def test_limit_of_bytes_is_kept(model: Model) -> None:
    """Buffers that a stack leaves alone make room for those it needs; more is refused."""
    one, two = model.first.weight, model.conv.weight
    limit = two.nbytes + model.norm.weight.nbytes
    merged = copy_of(model, bytes_max=limit)
    merged.merge([(adapter("a", {"first": pair(one)}, [dense("norm.bias", model.norm.bias)]), 1.0)])

    merged.merge([(adapter("b", {"conv": pair(two)}), 1.0)])

    assert merged.bytes <= limit
    with merged.wearing("unet"):
        assert torch.equal(model.first.weight, one)
    with pytest.raises(MergedTooLarge, match=str(limit)) as caught:
        merged.merge([(adapter("c", {"conv": pair(two), "first": pair(one)}), 1.0)])
    assert caught.value.hint
    assert_bare(model, merged)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
@pytest.mark.parametrize("is_pixel_first", [False, True])
def test_result_is_rounded_once(dtype: torch.dtype, is_pixel_first: bool) -> None:
    """Whatever the dtype and the layout, the copy is the float32 result to its last bit."""
    torch.manual_seed(4)
    model: Any = Model().requires_grad_(False).to(dtype)
    if is_pixel_first:
        model.to(memory_format=torch.channels_last)
    stack = [
        (adapter(name, {"conv": pair(model.conv.weight)}, dtype=dtype), weight)
        for name, weight in (("a", 0.3), ("b", -1.1))
    ]
    merged = copy_of(model)

    merged.merge(stack)

    exact = model.conv.weight.double()
    for worn, weight in stack:
        layer = worn.layers["unet", "conv"]
        exact = exact + weight * (layer.up.double().T @ layer.down.double()).view(exact.shape)
    with merged.wearing("unet"):
        found = model.conv.weight
    assert found.dtype == dtype
    assert found.stride() == model.conv.weight.stride()
    half_step = torch.finfo(dtype).eps / 2
    torch.testing.assert_close(found.double(), exact, rtol=half_step * 1.01, atol=2e-6)


def test_copy_made_in_inference_mode_serves_outside(model: Model) -> None:
    """Buffers are ordinary tensors, wherever they were made."""
    x = torch.randn(1, 4, 5, 5, dtype=torch.float64, requires_grad=True)
    merged = copy_of(model)

    with torch.inference_mode():
        merged.merge([(adapter("a", {"conv": pair(model.conv.weight)}), 1.0)])
        merged.merge([(adapter("b", {"conv": pair(model.conv.weight)}), 1.0)])

    with merged.wearing("unet"):
        assert not model.conv.weight.is_inference()
        assert not model.conv.weight.requires_grad
        model(x).sum().backward()
    assert x.grad is not None
