# SPDX-License-Identifier: Apache-2.0
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from safetensors.torch import save_file

from tabard_registry import check
from tests.registry.fakes import Tensors, kohya_tensors
from tests.registry.intake import dense_files
from tests.registry.intake.dense_files import scalar, some
from tests.registry.intake.dialects.small_unet import profile_of, tiny_unet
from tests.registry.intake.lora_files import (
    PROFILE,
    assert_all_applied,
    checked,
    reasons,
    renamed,
)


@pytest.mark.filterwarnings("ignore:Adapter .default.. 8 LoRA tensor")
def test_biases_are_those_of_diffusers(tmp_path: Path) -> None:
    """`lora.up.bias`: every change of a weight and a bias is the one that diffusers makes."""
    unet = tiny_unet()
    profile = profile_of(unet, has_biases=True)
    unet.add_adapter(LoraConfig(r=4, lora_alpha=6, target_modules=["to_out.0"], lora_bias=True))
    torch.manual_seed(5)
    state = get_peft_model_state_dict(unet)
    tensors = {
        key.replace(".lora_A.", ".lora.down.").replace(".lora_B.", ".lora.up."): torch.randn_like(x)
        for key, x in state.items()
    }
    path = tmp_path / "x.safetensors"
    save_file({f"unet.{key}": x for key, x in tensors.items()}, path)
    truth = tiny_unet()
    truth.load_lora_adapter({f"unet.{key}": x for key, x in tensors.items()}, prefix="unet")

    result = check([path], profile=profile)

    assert result.report.accepted, result.report.problems
    weights = {
        x.module: x.scale * (x.factors.read().up @ x.factors.read().down) for x in result.layers
    }
    biases = {x.parameter: x.scale * x.read()["diff"] for x in result.changes}
    worn = {name: m for name, m in truth.named_modules() if hasattr(m, "get_delta_weight")}
    assert weights.keys() == worn.keys() and len(biases) == len(worn) > 0
    for name, module in worn.items():
        (adapter,) = module.lora_B
        bias = module.scaling[adapter] * module.lora_B[adapter].bias
        np.testing.assert_allclose(
            weights[name], module.get_delta_weight(adapter).detach(), 1e-5, 1e-5
        )
        np.testing.assert_allclose(biases[f"{name}.bias"], bias.detach(), 1e-6)


@pytest.mark.parametrize(
    ("down", "up"),
    [
        (".lora_A.weight", ".lora_B.weight"),
        (".lora.down.weight", ".lora.up.weight"),
        (".lora_linear_layer.down.weight", ".lora_linear_layer.up.weight"),
    ],
)
def test_diffusers_spellings_apply(down: str, up: str, tmp_path: Path) -> None:
    """Each of diffusers' spellings applies; without any alpha it is the rank."""
    table = {"lora_down.weight": down, "lora_up.weight": up}
    tensors = renamed(kohya_tensors(PROFILE), table)

    assert_all_applied(checked(tmp_path, tensors), scale=1.0, dialect="diffusers")


def test_diffusers_alpha_tensors_apply(tmp_path: Path) -> None:
    """Alpha tensors count."""
    table = {"lora_down.weight": ".lora.down.weight", "lora_up.weight": ".lora.up.weight"}
    tensors = renamed(kohya_tensors(PROFILE, rank=4), {**table, "alpha": ".alpha"})

    assert_all_applied(checked(tmp_path, tensors), scale=0.25, dialect="diffusers")


@pytest.mark.parametrize("component", ["unet", "text_encoder"])
def test_alpha_of_zero_is_refused(component: str, tmp_path: Path) -> None:
    """Only kohya reads it as the rank: for diffusers such a layer does nothing."""
    table = {"lora_down.weight": ".lora.down.weight", "lora_up.weight": ".lora.up.weight"}
    tensors = renamed(kohya_tensors(PROFILE, alpha=0.0), {**table, "alpha": ".alpha"})
    own = {key: value for key, value in tensors.items() if key.startswith(f"{component}.")}

    assert reasons(checked(tmp_path, own).report) == ["BAD_ALPHA"]


def test_native_factor_names_apply(tmp_path: Path) -> None:
    """OneTrainer keeps kohya's parts behind diffusers' names."""
    table = {name: f".{name}" for name in ("lora_down.weight", "lora_up.weight", "alpha")}
    tensors = renamed(kohya_tensors(PROFILE, rank=4), table)

    assert_all_applied(checked(tmp_path, tensors), scale=0.25, dialect="diffusers")


FC = "unet.mid_block.fc"
CONV = "unet.down_blocks.0.resnets.0.conv1"
FACTORED: dict[str, tuple[Tensors, dict[str, int]]] = {
    "LoHa": (
        {
            f"{FC}.hada_w{n}_{side}": some(16, 2) if side == "a" else some(2, 12)
            for n in (1, 2)
            for side in "ab"
        },
        {"LoHa": 1},
    ),
    "LoKr": (
        {f"{FC}.lokr_w1": some(4, 4), f"{FC}.lokr_w2_a": some(4, 1), f"{FC}.lokr_w2_b": some(1, 3)},
        {"LoKr": 1},
    ),
    "LoKr of whole halves": (
        {f"{CONV}.lokr_w1": some(4, 4), f"{CONV}.lokr_w2": some(4, 2, 3, 3)},
        {"LoKr": 1},
    ),
}


@pytest.mark.parametrize("name", FACTORED)
def test_factors_of_lycoris_need_their_alpha(name: str, tmp_path: Path) -> None:
    """Who leaves it out is PEFT, whose own is in a configuration: never guessed."""
    tensors, methods = FACTORED[name]
    stem = next(iter(tensors)).rpartition(".")[0]

    whole = dense_files.checked(tmp_path, {**tensors, f"{stem}.alpha": scalar(1)}).report
    guessed = dense_files.checked(tmp_path, tensors).report

    assert (whole.accepted, whole.methods, whole.dialect) == (True, methods, "diffusers")
    assert reasons(guessed) == ["ALPHA_UNKNOWN"]


@pytest.mark.parametrize("name", FACTORED)
def test_header_says_alpha_of_peft(name: str, tmp_path: Path) -> None:
    """A LoHa or LoKr of PEFT in diffusers' layout keeps alpha and rank in the header."""
    tensors, methods = FACTORED[name]
    rank = {"LoHa": 2, "LoKr": 1}.get(name, 6)
    config = {"peft_type": name[:4].upper(), "alpha": 3, "r": rank}
    header = json.dumps({f"unet.{field}": value for field, value in config.items()})

    result = dense_files.checked(tmp_path, tensors, metadata={"lora_adapter_metadata": header})

    assert (result.report.accepted, result.report.methods) == (True, methods)
    assert [layer.scale for layer in result.layers] == [3 / rank]


@pytest.mark.parametrize(
    ("stem", "shape", "axis"),
    [
        (FC, (1, 12), "inputs"),
        (FC, (16, 1), "outputs"),
        (CONV, (1, 8, 1, 1), "inputs"),
        (CONV, (16, 1, 1, 1), "outputs"),
    ],
)
def test_magnitude_says_its_side(
    stem: str, shape: tuple[int, ...], axis: str, tmp_path: Path
) -> None:
    """OneTrainer keeps the magnitude of inputs, which PEFT has no place for, as LyCORIS does."""
    kernel, inputs = ((3, 3), 8) if stem == CONV else ((), 12)
    tensors: Tensors = {
        f"{stem}.lora_A.weight": some(2, inputs, *kernel),
        f"{stem}.lora_B.weight": some(16, 2, *(1 for _ in kernel)),
        f"{stem}.dora_scale": some(*shape),
    }

    result = dense_files.checked(tmp_path, tensors)

    assert [layer.axis for layer in result.layers] == [axis], result.report.problems


@pytest.mark.parametrize("word", ["ot_branch", "ot_revision"])
def test_rotation_needs_its_writer(word: str, tmp_path: Path) -> None:
    """PEFT gives numbers of another meaning the same name: OneTrainer's are known by its header."""
    tensors: Tensors = {f"{FC}.oft_R.weight": some(3, 6)}

    signed = dense_files.checked(tmp_path, tensors, metadata={word: "1"}).report
    unsigned = dense_files.checked(tmp_path, tensors).report

    assert (signed.accepted, signed.methods) == (True, {"OFT": 1})
    assert reasons(unsigned) == ["UNKNOWN_SUFFIX"]


def test_newer_text_encoder_names_apply(tmp_path: Path) -> None:
    """Text modules without the classic prefix are the same modules."""
    table = {"lora_down.weight": ".lora_A.weight", "lora_up.weight": ".lora_B.weight"}
    tensors = {
        key.replace("text_encoder.text_model.", "text_encoder."): value
        for key, value in renamed(kohya_tensors(PROFILE), table).items()
    }

    assert_all_applied(checked(tmp_path, tensors), scale=1.0, dialect="diffusers")


def test_attention_processor_names_apply(tmp_path: Path) -> None:
    """The oldest files name attention processors."""
    stem = "down_blocks.0.attentions.0.transformer_blocks.0.attn1"
    tensors: Tensors = {}
    for name in ("to_q", "to_out"):
        tensors[f"unet.{stem}.processor.{name}_lora.down.weight"] = np.ones((2, 8), "float32")
        tensors[f"unet.{stem}.processor.{name}_lora.up.weight"] = np.ones((8, 2), "float32")
    bare = {key.removeprefix("unet."): value for key, value in tensors.items()}

    for found in (checked(tmp_path, tensors), checked(tmp_path, bare)):
        assert found.report.accepted
        assert [x.module for x in found.layers] == [f"{stem}.to_out.0", f"{stem}.to_q"]


@pytest.mark.parametrize("alpha", [0, 0.0])
def test_alpha_of_zero_in_the_header_changes_nothing(alpha: float, tmp_path: Path) -> None:
    """PEFT multiplies by it, where kohya reads the rank: that is said, and not "impossible"."""
    tensors, _methods = FACTORED["LoHa"]
    header = json.dumps({"unet.peft_type": "LOHA", "unet.alpha": alpha, "unet.r": 2})

    report = dense_files.checked(
        tmp_path, tensors, metadata={"lora_adapter_metadata": header}
    ).report

    assert reasons(report) == ["BAD_ALPHA"] and "change nothing" in report.problems[0].message


def test_configured_component_without_tensors_is_refused(tmp_path: Path) -> None:
    """Its tensors were lost: what is left draws something else than its writer did."""
    tensors, _methods = FACTORED["LoHa"]
    fields = {"peft_type": "LOHA", "alpha": 3, "r": 2}
    header = {
        f"{component}.{k}": v for component in ("unet", "text_encoder") for k, v in fields.items()
    }

    report = dense_files.checked(
        tmp_path, tensors, metadata={"lora_adapter_metadata": json.dumps(header)}
    ).report

    assert reasons(report) == ["UNSUPPORTED_CONFIG"] and not report.accepted
    assert "configures text_encoder, of which there are no tensors" in report.problems[0].message
