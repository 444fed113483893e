# SPDX-License-Identifier: Apache-2.0
"""Changes that are not low-rank equal what LyCORIS' own forward gives, at any weight."""

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from tabard_registry.release.change_methods import CHANGE_METHODS
from tabard_server.engine.merged import changes
from tabard_server.engine.merged.changes import materialise
from tabard_server.engine_port.errors import AdapterMismatch
from tests.server.engine.merged.lycoris_changes import CASES, GOLDEN_FILE, changes_of, tensors_of
from tests.server.engine.merged.random_changes import change_of

WEIGHTS = (1.0, 0.5, -0.7)


@pytest.mark.parametrize("weight", WEIGHTS)
@pytest.mark.parametrize("case", CASES)
def test_change_equals_lycoris(case: str, weight: float) -> None:
    """The layer with its parameters changed gives what LyCORIS gives, to 1e-9 in float64."""
    kind = case.split("/", maxsplit=1)[0]
    base = {key: value.double() for key, value in tensors_of(f"{kind}/base.").items()}
    x = GOLDEN_FILE[f"{kind}/x"]
    changed = dict(base)

    for name, change in changes_of(case).items():
        changed[name] = base[name] + materialise(change, base[name], stack_weight=weight)

    expected = GOLDEN_FILE[f"{case}/y{weight}"]
    torch.testing.assert_close(run(kind, x, changed), expected, rtol=1e-9, atol=1e-9)
    assert (expected - run(kind, x, base)).abs().max() > 0.01


def run(kind: str, x: torch.Tensor, state: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """The layer's output."""
    weight, bias = state["weight"], state["bias"]
    if kind == "linear":
        return functional.linear(x, weight, bias)
    if kind == "conv":
        return functional.conv2d(x, weight, bias, stride=2, padding=1)
    if kind == "layer norm":
        return functional.layer_norm(x, weight.shape, weight, bias)
    return functional.group_norm(x, 2, weight, bias)


@pytest.mark.parametrize("case", [case for case in CASES if case.startswith(("linear", "conv"))])
def test_change_of_another_width_is_refused(case: str) -> None:
    """A parameter of one more output, or of one more input, is no parameter for it."""
    for name, change in changes_of(case).items():
        shape = list(tensors_of(f"{case.split('/', maxsplit=1)[0]}/base.")[name].shape)
        for axis in range(min(len(shape), 2)):
            if "ia3" in case and axis == 1 - ("inputs" in case) and name == "weight":
                continue
            if "oft" in case and axis == 1:
                continue
            other = [size + (axis == place) for place, size in enumerate(shape)]
            with pytest.raises(AdapterMismatch, match=rf"layer\.{name}"):
                materialise(change, torch.zeros(other))


BROKEN: dict[str, tuple[str, dict[str, tuple[int, ...]], dict[str, Any]]] = {
    "unknown method": ("spell", {"diff": (16, 8)}, {}),
    "blocks not square": ("oft", {"blocks": (4, 4, 3)}, {}),
    "no blocks": ("oft", {"blocks": (0, 4, 4)}, {}),
    "odd butterfly": ("boft", {"blocks": (1, 16, 1, 1)}, {}),
    "too many stages": ("boft", {"blocks": (9, 4, 4, 4)}, {}),
    "too many stages of inputs": ("boft", {"blocks": (9, 2, 4, 4)}, {"on_input": True}),
    "endless series": ("oft", {"blocks": (2, 4, 4)}, {"on_input": True, "terms": 1e9}),
    "another kernel": ("lora", {"up": (16, 2), "down": (2, 2, 2, 2)}, {}),
    "rotated vector": ("oft", {"blocks": (4, 4, 4)}, {"parameter": "bias"}),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_change_is_refused(name: str) -> None:
    """Shapes and options that make no sense are a typed error."""
    method, shapes, options = BROKEN[name]
    change = change_of(
        method, {key: torch.zeros(shape) for key, shape in shapes.items()}, **options
    )

    with pytest.raises(AdapterMismatch) as caught:
        materialise(change, torch.zeros(16) if name == "rotated vector" else torch.zeros(16, 8))

    assert caught.value.hint


def test_half_precision_is_computed_wide() -> None:
    """Parts in float16 and a float16 parameter give a float32 change, rounded by nobody."""
    weight = nn.Linear(8, 16).weight.detach().half()
    up, down = torch.randn(16, 3).half(), torch.randn(3, 8).half()

    found = materialise(change_of("lora", {"up": up, "down": down}), weight)

    assert found.dtype == torch.float32
    torch.testing.assert_close(found, up.float() @ down.float(), rtol=1e-6, atol=1e-6)


def test_parts_are_never_written() -> None:
    """A change that needs no arithmetic is in memory of its own, too."""
    diff = torch.ones(16, 8)

    found = materialise(change_of("dense", {"diff": diff}), torch.zeros(16, 8))
    found.add_(1)

    assert bool((diff == 1).all())


def test_every_method_of_the_table_is_applied() -> None:
    """What a manifest may say, this server can wear."""
    assert {*changes._LINEAR, *changes._ORTHOGONAL} == set(CHANGE_METHODS)
