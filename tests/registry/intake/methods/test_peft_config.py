# SPDX-License-Identifier: Apache-2.0
import json
from pathlib import Path

import pytest

from tabard_registry import Problem
from tabard_registry.intake.methods.peft_config import BARE, HEADER_KEY, header_configs
from tests.registry.fakes import kohya_tensors
from tests.registry.intake.lora_files import PROFILE, checked, reasons, renamed


def header_alpha(**fields: object) -> dict[str, str]:
    """Metadata as diffusers writes it."""
    both = {f"{c}.{k}": v for c in ("unet", "text_encoder") for k, v in fields.items()}
    return {"format": "pt", "lora_adapter_metadata": json.dumps(both)}


def test_header_alpha_applies(tmp_path: Path) -> None:
    """The alpha in diffusers' header counts, with its exceptions and rsLoRA."""
    table = {"lora_down.weight": ".lora_A.weight", "lora_up.weight": ".lora_B.weight"}
    tensors = renamed(kohya_tensors(PROFILE, rank=4), table)
    metadata = header_alpha(r=4, lora_alpha=8, alpha_pattern={"attn1.to_q": 2}, use_rslora=True)

    result = checked(tmp_path, tensors, metadata=metadata)

    scales = {layer.module: layer.scale for layer in result.layers}
    block = "mid_block.attentions.0.transformer_blocks.0"
    assert result.report.accepted
    assert (scales[f"{block}.attn1.to_q"], scales[f"{block}.attn2.to_q"]) == (1.0, 4.0)


@pytest.mark.parametrize(
    ("fields", "reason", "words"),
    [
        ({"lora_alpha": 8, "use_dora": True}, "INCOMPLETE_PAIR", "has a magnitude"),
        ({"lora_alpha": 8, "peft_type": "LN_TUNING"}, "UNSUPPORTED_CONFIG", "PEFT LN_TUNING"),
        ({"lora_alpha": 8, "peft_type": "LOHA"}, "UNSUPPORTED_CONFIG", "`lora_alpha`"),
        ({"lora_alpha": 8, "alpha_pattern": {"attn1.to_q": None}}, "UNSUPPORTED_CONFIG", "number"),
        ({"lora_alpha": 8, "alpha_pattern": {"(a+)+$": 1}}, "UNSUPPORTED_CONFIG", "regular"),
        ({"lora_alpha": 8, "alpha_pattern": {"attn3": 1}}, "UNSUPPORTED_CONFIG", "'attn3'"),
        ({"lora_alpha": 8, "rank_pattern": {"attn3": 1}}, "UNSUPPORTED_CONFIG", "rank_pattern"),
        ({"lora_alpha": 8, "init_lora_weights": "olora"}, "UNSUPPORTED_CONFIG", '"olora"'),
        ({"lora_alpha": 8, "r": 3}, "BAD_SHAPE", "says rank 3"),
        ({"lora_alpha": 8, "r": 2, "rank_pattern": {"fc1": 4}}, "BAD_SHAPE", "says rank 4"),
        ({"lora_alpha": "eight"}, "ALPHA_UNKNOWN", "no number for `lora_alpha`"),
        ({"r": 2}, "ALPHA_UNKNOWN", "PEFT's own default is 8"),
        ({"lora_alpha": 8, "use_rslora": "false"}, "UNSUPPORTED_CONFIG", "neither true nor false"),
        ({"lora_alpha": 0}, "BAD_ALPHA", "change nothing"),
        ({"lora_alpha": 1e30}, "BAD_ALPHA", "impossible"),
    ],
)
def test_unclear_header_is_refused(
    fields: dict[str, object], reason: str, words: str, tmp_path: Path
) -> None:
    """A configuration that cannot be relied on is not guessed at: what is wrong is named, once."""
    table = {"lora_down.weight": ".lora_A.weight", "lora_up.weight": ".lora_B.weight"}
    tensors = renamed(kohya_tensors(PROFILE), table)

    result = checked(tmp_path, tensors, metadata=header_alpha(**fields))

    assert reasons(result.report) == [reason]
    (problem,) = result.report.problems
    assert words in f"{problem.message} {problem.remedy}"
    assert "send" not in problem.remedy.lower()


@pytest.mark.parametrize("pattern", ["attn2.to_k", r"attn2\.to_k", r"^.*attn2\.to_k$"])
def test_pattern_is_understood_or_named(pattern: str, tmp_path: Path) -> None:
    """An escaped name is a name; what is a regular expression is called one."""
    table = {"lora_down.weight": ".lora_A.weight", "lora_up.weight": ".lora_B.weight"}
    tensors = renamed(kohya_tensors(PROFILE, rank=4), table)
    metadata = header_alpha(r=4, lora_alpha=8, alpha_pattern={pattern: 2})

    result = checked(tmp_path, tensors, metadata=metadata)

    if "*" in pattern:
        assert "regular expression" in result.report.problems[0].message
    else:
        scales = {layer.scale for layer in result.layers if layer.module.endswith("attn2.to_k")}
        assert result.report.accepted and scales == {0.5}


@pytest.mark.parametrize("prefix", ["", "text_model."])
def test_anchored_pattern_of_any_transformers(prefix: str, tmp_path: Path) -> None:
    """The layers of a text encoder are called so or so; their alpha is never that of the others."""
    table = {"lora_down.weight": ".lora_A.weight", "lora_up.weight": ".lora_B.weight"}
    tensors = renamed(kohya_tensors(PROFILE, rank=4), table)
    layer = "encoder.layers.0.self_attn.q_proj"
    metadata = header_alpha(r=4, lora_alpha=8, alpha_pattern={f"^{prefix}{layer}": 2})

    result = checked(tmp_path, tensors, metadata=metadata)

    scales = {layer.module: layer.scale for layer in result.layers}
    assert result.report.accepted
    assert (scales[f"text_model.{layer}"], scales[f"text_model.{layer}".replace("0", "1")]) == (
        0.5,
        2,
    )


def test_header_says_what_belongs_to_whom() -> None:
    """Fields with a component's name are that component's, fields without one are bare."""
    metadata = {HEADER_KEY: json.dumps({"unet.r": 1, "text_encoder.r": 2, "r": 3})}

    found = header_configs(metadata, components=("unet", "text_encoder"))

    assert found == {"unet": {"r": 1}, "text_encoder": {"r": 2}, BARE: {"r": 3}}
    assert header_configs({}, components=()) == {}


@pytest.mark.parametrize("text", ["", "null", "[1]", "{", '{"transformer.r": 4}', "[" * 10_000])
def test_header_that_says_something_else_is_refused(text: str) -> None:
    """What is there and not understood is not passed over."""
    found = header_configs({HEADER_KEY: text}, components=("unet",))

    assert isinstance(found, Problem)
    assert (found.reason, found.is_warning) == ("UNSUPPORTED_CONFIG", False)
