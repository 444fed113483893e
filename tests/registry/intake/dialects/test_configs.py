# SPDX-License-Identifier: Apache-2.0
"""Whose configuration it is: diffusers' and PEFT's own writers, and files put together wrongly."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from peft import LoraConfig

from tabard_registry import check
from tabard_registry.intake.methods.peft_config import HEADER_KEY
from tests.registry.fakes import Tensors, kohya_tensors, write
from tests.registry.intake.dialects.small_unet import profile_of, tiny_unet
from tests.registry.intake.lora_files import PROFILE, reasons, renamed

CONFIG = {"peft_type": "LORA", "r": 4, "lora_alpha": 2}
WRITERS: dict[str, dict[str, Any]] = {
    "alpha": {"lora_alpha": 6},
    "rslora": {"lora_alpha": 6, "use_rslora": True},
    "exceptions": {
        "lora_alpha": 6,
        "alpha_pattern": {"attn2.to_q": 3, r"attn1\.to_k": 5},
        "rank_pattern": {"^mid_block.attentions.0.transformer_blocks.0.attn1.to_q": 2},
    },
    "dora": {"lora_alpha": 6, "use_dora": True},
    "outer layers": {"lora_alpha": 6, "target_modules": ["conv_in", "time_embedding.linear_1"]},
}


@pytest.mark.parametrize("name", WRITERS)
def test_file_of_a_bare_model_is_read_as_diffusers_does(name: str, tmp_path: Path) -> None:
    """`save_lora_adapter` names no component; every scale is the one that PEFT multiplies with."""
    unet, targets = tiny_unet(), ["to_q", "to_k"]
    profile = profile_of(unet)
    unet.add_adapter(LoraConfig(**{"r": 4, "target_modules": targets, **WRITERS[name]}))
    unet.save_lora_adapter(str(tmp_path), adapter_name="default")
    truth = tiny_unet()
    truth.load_lora_adapter(str(tmp_path), prefix=None, use_safetensors=True)

    result = check([tmp_path / "pytorch_lora_weights.safetensors"], profile=profile)

    scales = {
        module_name: module.scaling["default_0"]
        for module_name, module in truth.named_modules()
        if hasattr(module, "scaling")
    }
    assert result.report.accepted, result.report.problems
    assert {layer.module: layer.scale for layer in result.layers} == scales
    assert len(set(scales.values())) == (4 if name == "exceptions" else 1)


def diffusers_tensors(*, is_bare: bool) -> Tensors:
    """A LoRA of a UNet in diffusers' layout."""
    table = {"lora_down.weight": ".lora_A.weight", "lora_up.weight": ".lora_B.weight"}
    found = renamed(kohya_tensors(PROFILE, rank=4), table)
    unet = {key: value for key, value in found.items() if key.startswith("unet.")}
    return {key.removeprefix("unet.") if is_bare else key: x for key, x in unet.items()}


def header(*, prefix: str, **fields: Any) -> dict[str, str]:
    """Metadata as diffusers writes it."""
    config = {**CONFIG, **fields}
    return {HEADER_KEY: json.dumps({f"{prefix}{key}": value for key, value in config.items()})}


@pytest.mark.parametrize(
    ("is_bare", "prefix", "is_taken"),
    [
        (False, "unet.", True),
        (True, "", True),
        (False, "", False),
        (True, "unet.", False),
        (False, "transformer.", False),
    ],
)
def test_header_belongs_to_keys_like_its_own(
    is_bare: bool, prefix: str, is_taken: bool, tmp_path: Path
) -> None:
    """Bare metadata is of bare keys and named metadata of named keys; no alpha is passed over."""
    metadata = header(prefix=prefix)
    path = write(tmp_path / "x.safetensors", diffusers_tensors(is_bare=is_bare), metadata=metadata)

    result = check([path], profile=PROFILE)

    if is_taken:
        assert {layer.scale for layer in result.layers} == {0.5}
    else:
        assert reasons(result.report) == ["UNSUPPORTED_CONFIG"]


def test_configuration_beside_bare_keys_counts(tmp_path: Path) -> None:
    """Where header and file beside it say the same, or one of them says it, it is worn so."""
    config = tmp_path / "adapter_config.json"
    config.write_text(json.dumps(CONFIG))
    tensors = diffusers_tensors(is_bare=True)
    for metadata in (None, header(prefix="")):
        path = write(tmp_path / "x.safetensors", tensors, metadata=metadata)

        assert {x.scale for x in check([path, config], profile=PROFILE).layers} == {0.5}

    path = write(tmp_path / "x.safetensors", tensors, metadata=header(prefix="", lora_alpha=3))
    report = check([path, config], profile=PROFILE).report
    assert reasons(report) == ["UNSUPPORTED_CONFIG"]
    assert "differ" in report.problems[0].message


@pytest.mark.parametrize("where", ["header", "beside"])
def test_kohya_file_takes_no_configuration(where: str, tmp_path: Path) -> None:
    """A configuration that this dialect has no meaning for is refused, not passed over."""
    metadata = header(prefix="unet.", init_lora_weights="olora") if where == "header" else None
    config = tmp_path / "adapter_config.json"
    config.write_text(json.dumps(CONFIG))
    path = write(tmp_path / "x.safetensors", kohya_tensors(PROFILE), metadata=metadata)

    report = check([path] if where == "header" else [path, config], profile=PROFILE).report

    assert reasons(report) == ["UNSUPPORTED_CONFIG"]
    assert "kohya" in report.problems[0].message


def test_alpha_in_tensors_and_header_is_refused(tmp_path: Path) -> None:
    """A file that says alpha twice is none that diffusers takes."""
    tensors = diffusers_tensors(is_bare=False)
    stem = next(iter(tensors)).partition(".lora_")[0]
    tensors[f"{stem}.alpha"] = np.ones((), "float32")
    path = write(tmp_path / "x.safetensors", tensors, metadata=header(prefix="unet."))

    assert reasons(check([path], profile=PROFILE).report) == ["BAD_ALPHA"]


def test_warning_leaves_the_file_accepted(tmp_path: Path) -> None:
    """A field of the next release that is off is said, once, and the adapter is taken."""
    metadata = header(prefix="unet.", of_the_next_release=None)
    path = write(tmp_path / "x.safetensors", diffusers_tensors(is_bare=False), metadata=metadata)

    report = check([path], profile=PROFILE).report

    assert report.accepted
    assert reasons(report) == ["UNKNOWN_FIELD"]


@pytest.mark.parametrize("said", ["unet.", "text_encoder."])
def test_component_that_a_header_passes_over_is_refused(said: str, tmp_path: Path) -> None:
    """Who speaks of one component knows the alpha of the other, and did not write it."""
    table = {"lora_down.weight": ".lora_A.weight", "lora_up.weight": ".lora_B.weight"}
    tensors = renamed(kohya_tensors(PROFILE, rank=4), table)
    path = write(tmp_path / "x.safetensors", tensors, metadata=header(prefix=said))

    result = check([path], profile=PROFILE)

    other = "text_encoder" if said == "unet." else "unet"
    assert reasons(result.report) == ["UNSUPPORTED_CONFIG"]
    assert f"says nothing of {other}" in result.report.problems[0].message


def test_header_that_says_nothing_is_refused(tmp_path: Path) -> None:
    """Something stood there, and is lost."""
    tensors = diffusers_tensors(is_bare=False)
    path = write(tmp_path / "x.safetensors", tensors, metadata={HEADER_KEY: "{}"})

    result = check([path], profile=PROFILE)

    assert reasons(result.report) == ["UNSUPPORTED_CONFIG"]
