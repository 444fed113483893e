# SPDX-License-Identifier: Apache-2.0
"""Weights in eight bits: scaled back exactly, or refused by the name of what quantised them."""

import json

import pytest
import torch

from tabard_server.engine.base.files.scales import refuse_quantised, undo_scales
from tabard_server.engine_port.errors import BaseNotLoadable

FP8 = torch.float8_e4m3fn
WEIGHT = torch.tensor([[1.5, -2.0], [0.25, 448.0]])


def _recipe(**said: object) -> torch.Tensor:
    return torch.tensor(list(json.dumps(said).encode()), dtype=torch.uint8)


@pytest.mark.parametrize("ending", ["scale_weight", "weight_scale"])
@pytest.mark.parametrize("kind", [FP8, torch.float8_e5m2])
@pytest.mark.parametrize("shape", [(), (1,), (1, 1)])
def test_scale_is_applied(ending: str, kind: torch.dtype, shape: tuple[int, ...]) -> None:
    """A weight is its numbers times its scale, and nothing of the scale is left among the keys."""
    tensors = {
        "a.weight": WEIGHT.to(kind),
        f"a.{ending}": torch.full(shape, 3e-3),
        "a.bias": torch.ones(2),
        "scaled_fp8": torch.tensor([], dtype=kind),
        "a.scale_input": torch.ones(()),
        "a.input_scale": torch.ones(()),
        "a.comfy_quant": _recipe(format="float8_e4m3fn", full_precision_matrix_mult=True),
    }

    found = undo_scales(tensors, source="x")

    assert set(found) == {"a.weight", "a.bias"} and len(found) == 2
    assert torch.equal(found["a.weight"], WEIGHT.to(kind).float() * torch.tensor(3e-3).item())
    assert torch.equal(found["a.bias"], torch.ones(2))


def test_file_without_scales_is_left_alone() -> None:
    """Plain numbers of eight bits mean what they say."""
    tensors = {"a.weight": WEIGHT.to(FP8), "b.weight": WEIGHT.half()}

    assert undo_scales(tensors, source="x") is tensors


def test_scale_of_nothing_stays() -> None:
    """Whoever looks for what is left over finds it."""
    found = undo_scales({"b.weight": WEIGHT, "a.scale_weight": torch.ones(())}, source="x")

    assert "a.scale_weight" in found


@pytest.mark.parametrize(
    ("tensors", "says"),
    [
        ({"a.scale_weight": torch.ones(2, 1)}, "one number for the whole weight"),
        ({"a.scale_weight": torch.ones((), dtype=torch.int32)}, "one number for the whole"),
        ({"a.scale_weight": torch.tensor(float("nan"))}, "is nan"),
        ({"a.scale_weight": torch.tensor(float("inf"))}, "is inf"),
        ({"a.scale_weight": torch.tensor(0.0)}, "is 0.0"),
        ({"a.scale_weight": torch.ones(()), "a.weight_scale": torch.ones(())}, "two scales"),
        ({"a.comfy_quant": _recipe(format="int8_tensorwise")}, "int8_tensorwise"),
        ({"a.comfy_quant": _recipe(format="float8_e4m3fn", convrot=True)}, "float8_e4m3fn"),
        ({"a.comfy_quant": torch.ones(3)}, "does not say how"),
        ({"a.weight_scale": torch.ones(()), "a.weight": torch.ones(2, dtype=torch.int8)}, "int8"),
    ],
)
def test_other_scales_are_refused(tensors: dict[str, torch.Tensor], says: str) -> None:
    """A scale is one sound number, and its recipe one that is known."""
    with pytest.raises(BaseNotLoadable, match=says) as caught:
        undo_scales({"a.weight": WEIGHT.to(FP8), **tensors}, source="x")

    assert caught.value.hint


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("a.weight.absmax", "bitsandbytes"),
        ("a.weight.quant_state.bitsandbytes__nf4", "bitsandbytes"),
        ("a.SCB", "bitsandbytes"),
        ("a.qweight", "GPTQ"),
        ("a.g_idx", "GPTQ"),
        ("a.weight._data", "quanto"),
        ("a.weight_scale_2", "nvfp4"),
        ("a.weight_codebook", "codebooks"),
    ],
)
def test_foreign_quantisation_is_named(key: str, says: str) -> None:
    """What cannot be undone exactly is refused by its name."""
    with pytest.raises(BaseNotLoadable, match=says) as caught:
        undo_scales({"a.weight": WEIGHT, key: torch.ones(1)}, source="x")

    assert "that it was made from" in caught.value.hint and key in str(caught.value)


def test_configuration_says_quantisation() -> None:
    """Diffusers and transformers say it in `config.json`."""
    with pytest.raises(BaseNotLoadable, match="bitsandbytes"):
        refuse_quantised({"quantization_config": {"quant_method": "bitsandbytes"}}, source="x")

    refuse_quantised({}, source="x")
