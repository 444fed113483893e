# SPDX-License-Identifier: Apache-2.0
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from tabard_registry import BaseProfile, Checked, check
from tabard_registry.intake.dialects.module_names import kohya_modules
from tests.registry.fakes import Tensors, linear, sd_profile, write
from tests.registry.intake.dense_files import PROFILE, some
from tests.registry.intake.dense_files import lora as lora_of_dense
from tests.registry.intake.lora_files import reasons
from tests.registry.intake.report.named_base import report_of

TEXT_WIDTHS = {"text_encoder": 12, "text_encoder_2": 20}


def _large_profile() -> BaseProfile:
    """A profile with the names of SDXL: two encoders, deeper blocks, conditioning on sizes."""
    small = sd_profile(layers_per_block=2, text_width=32)
    unet = dict(small.modules["unet"])
    unet |= {
        name.replace("transformer_blocks.0", "transformer_blocks.1"): shape
        for name, shape in small.modules["unet"].items()
    }
    unet |= {"add_embedding.linear_1": linear(20, 32), "add_embedding.linear_2": linear(32, 32)}
    texts = {}
    for component, width in TEXT_WIDTHS.items():
        prefix = "text_model.encoder.layers.0"
        texts[component] = {
            f"{prefix}.self_attn.q_proj": linear(width, width),
            f"{prefix}.mlp.fc1": linear(width, 4 * width),
        }
    texts["text_encoder_2"]["text_projection"] = linear(20, 20)
    return replace(small, family="sdxl", modules={"unet": unet, **texts}, token_widths=TEXT_WIDTHS)


LARGE = _large_profile()


def _pair(stem: str, *, inputs: int, outputs: int) -> Tensors:
    return {
        f"{stem}.lora_down.weight": np.ones((2, inputs), "float32"),
        f"{stem}.lora_up.weight": np.ones((outputs, 2), "float32"),
    }


def _check(folder: Path, tensors: Tensors, profile: BaseProfile = LARGE, *words: str) -> Checked:
    path = write(folder / "x.safetensors", tensors)
    return check([path], profile=profile, trigger_words=words)


def test_kohya_numbers_the_encoders_of_sdxl() -> None:
    """Where there are two text encoders kohya counts them; where there is one it does not."""
    large, small = kohya_modules(LARGE), kohya_modules(sd_profile())
    stem = "text_model_encoder_layers_0_mlp_fc1"
    module = "text_model.encoder.layers.0.mlp.fc1"

    assert large[f"lora_te1_{stem}"] == ("text_encoder", module)
    assert large[f"lora_te2_{stem}"] == ("text_encoder_2", module)
    assert large["lora_te2_text_projection"] == ("text_encoder_2", "text_projection")
    assert f"lora_te_{stem}" not in large
    assert small[f"lora_te_{stem}"] == ("text_encoder", module)


def test_original_names_of_sdxl_are_known() -> None:
    """SDXL's own names of deeper blocks and of the conditioning on sizes are looked up too."""
    names = kohya_modules(LARGE)
    block = "lora_unet_input_blocks_1_1_transformer_blocks_1_attn1_to_q"

    assert names["lora_unet_label_emb_0_0"] == ("unet", "add_embedding.linear_1")
    assert names[block] == ("unet", "down_blocks.0.attentions.0.transformer_blocks.1.attn1.to_q")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("lora_te1_text_model_encoder_layers_0_mlp_fc1", "lora_te2_text_projection"),
        ("text_encoder.encoder.layers.0.mlp.fc1.lora", "text_encoder_2.text_projection.lora"),
    ],
)
def test_both_encoders_are_changed(first: str, second: str, tmp_path: Path) -> None:
    """A LoRA of both encoders is applied whole, in kohya's names and in diffusers'."""
    tensors = _pair(first, inputs=12, outputs=48) | _pair(second, inputs=20, outputs=20)
    if first.endswith(".lora"):
        renamed = {"lora.lora_down": "lora_A", "lora.lora_up": "lora_B"}
        for ours, theirs in renamed.items():
            tensors = {key.replace(ours, theirs): value for key, value in tensors.items()}

    result = _check(tmp_path, tensors)

    assert result.report.accepted, result.report.problems
    assert [(x.component, x.module) for x in result.layers] == [
        ("text_encoder", "text_model.encoder.layers.0.mlp.fc1"),
        ("text_encoder_2", "text_projection"),
    ]


def test_peft_names_of_two_encoders_are_refused(tmp_path: Path) -> None:
    """A name that both encoders have is not given to one of them by chance."""
    stem = "base_model.model.text_model.encoder.layers.0.mlp.fc1"
    tensors: Tensors = {f"{stem}.lora_A.weight": np.ones((2, 12), "float32")}

    report = _check(tmp_path, tensors).report

    assert [problem.reason for problem in report.problems] == ["UNKNOWN_KEYS"]


def _vectors(**shapes: tuple[int, ...]) -> Tensors:
    return {key: np.ones(shape, "float32") for key, shape in shapes.items()}


def test_inversion_pair_teaches_both_encoders(tmp_path: Path) -> None:
    """One token, vectors for each encoder, under one trigger word."""
    result = _check(tmp_path, _vectors(clip_l=(3, 12), clip_g=(3, 20)), LARGE, "<ink>")

    assert result.report.accepted, result.report.problems
    assert (result.report.kind, result.report.trigger_words) == ("textual_inversion", ("<ink>",))
    assert [(x.token, x.component, x.count) for x in result.tokens] == [
        ("<ink>", "text_encoder", 3),
        ("<ink>", "text_encoder_2", 3),
    ]


@pytest.mark.parametrize(
    ("tensors", "words", "reason"),
    [
        (_vectors(clip_l=(3, 12), clip_g=(3, 20)), (), "NO_TRIGGER"),
        (_vectors(clip_l=(3, 12), clip_g=(2, 20)), ("<ink>",), "INCOMPLETE_PAIR"),
        (_vectors(clip_l=(3, 20), clip_g=(3, 12)), ("<ink>",), "WRONG_WIDTH"),
        (_vectors(clip_l=(3, 12)), ("<ink>",), "INCOMPLETE_PAIR"),
        (_vectors(ink=(3, 12)), ("<ink>",), "INCOMPLETE_PAIR"),
        (_vectors(clip_l=(), clip_g=()), ("<ink>",), "WRONG_WIDTH"),
        (_vectors(clip_l=(1, 1, 12), clip_g=(1, 1, 20)), ("<ink>",), "WRONG_WIDTH"),
    ],
)
def test_half_a_pair_is_refused(
    tensors: Tensors, words: tuple[str, ...], reason: str, tmp_path: Path
) -> None:
    """An encoder that would not learn the token, or learn it differently, is a refusal."""
    report = _check(tmp_path, tensors, LARGE, *words).report

    assert not report.accepted
    assert report.problems[0].reason == reason


WIDE = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn2_to_k"
SELF = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q"


@pytest.mark.parametrize(
    ("tensors", "metadata", "made_for"),
    [
        (_pair(WIDE, inputs=768, outputs=16), {}, "sd1"),
        (_pair(WIDE, inputs=1024, outputs=16), {}, "sd2"),
        (_pair("lora_te_x_q_proj", inputs=768, outputs=768), {}, "sd1"),
        (_pair(SELF, inputs=16, outputs=16), {"ss_base_model_version": "sd_v1"}, "sd1"),
        (
            _pair(SELF, inputs=16, outputs=16),
            {"modelspec.architecture": "stable-diffusion-v2-768-v/lora"},
            "sd2",
        ),
        (_pair(SELF, inputs=16, outputs=16), {"modelspec.architecture": "Flux-1-dev/lora"}, "flux"),
    ],
)
def test_other_family_is_named_first(
    tensors: Tensors, metadata: dict[str, str], made_for: str, tmp_path: Path
) -> None:
    """A file for another family is refused as that, even if its layers happen to fit."""
    path = tmp_path / "x.safetensors"
    save_file(tensors, str(path), metadata=metadata)

    report = check([path], profile=LARGE).report

    first = report.problems[0]
    assert not report.accepted
    assert (first.reason, made_for in first.message, "sdxl" in first.message) == (
        "WRONG_FAMILY",
        True,
        True,
    )


def test_widths_stand_above_words(tmp_path: Path) -> None:
    """A file whose widths fit is taken against its own words where the setting says so."""
    path = tmp_path / "x.safetensors"
    profile = replace(LARGE, modules={"unet": {WIDE_MODULE: linear(2048, 16)}})
    save_file(
        _pair(WIDE, inputs=2048, outputs=16),
        str(path),
        metadata={"ss_base_model_version": "sd_v1"},
    )

    report = check([path], profile=profile, takes_contradictions=True).report
    assert report.accepted and reasons(report) == ["OTHER_ARCHITECTURE"]


WIDE_MODULE = "mid_block.attentions.0.transformer_blocks.0.attn2.to_k"


@pytest.mark.parametrize("key", ["lora_te3_x.alpha", "transformer.x.lora_A.weight", "t5xxl"])
def test_later_family_is_foreign_to_sdxl(key: str, tmp_path: Path) -> None:
    """SDXL's own names are at home on SDXL; those of later families are not."""
    report = _check(tmp_path, {key: np.ones((2, 2), "float32")}).report

    assert report.problems[0].reason == "WRONG_FAMILY"
    assert "later family" in report.problems[0].message


@pytest.mark.parametrize("key", ["ss_base_model_version", "modelspec.architecture"])
def test_file_of_another_family_is_refused(key: str, tmp_path: Path) -> None:
    """What says that it is for SDXL is not taken on an SD1 base."""
    said = {"ss_base_model_version": "sdxl_base_v1-0"}.get(key, "stable-diffusion-xl-v1-base/lora")

    assert reasons(report_of(tmp_path, **{key: said})) == ["WRONG_FAMILY"]


def test_configuration_of_another_family_is_refused(tmp_path: Path) -> None:
    """A hub id that everybody knows says the family, where the tensors do not."""
    tensors = {
        "base_model.model.mid_block.fc.lora_A.weight": some(4, 12),
        "base_model.model.mid_block.fc.lora_B.weight": some(16, 4),
    }
    config = tmp_path / "adapter_config.json"
    name = "stabilityai/stable-diffusion-xl-base-1.0"
    said = {"peft_type": "LORA", "r": 4, "lora_alpha": 2, "base_model_name_or_path": name}
    config.write_text(json.dumps(said))

    report = check([write(tmp_path / "a.safetensors", tensors), config], profile=PROFILE).report

    assert reasons(report) == ["WRONG_FAMILY"]
    assert "stable-diffusion-xl-base-1.0" in report.problems[0].message


@pytest.mark.parametrize(
    "words",
    [
        {"ss_base_model_version": "sd_v1", "modelspec.architecture": "stable-diffusion-xl-v1-base"},
        {"modelspec.architecture": "stable-diffusion-v1-inpainting/lora"},
        {"modelspec.architecture": "stable-diffusion-v1-depth/lora"},
    ],
)
@pytest.mark.parametrize("takes", [False, True])
def test_other_architecture_in_words_is_told(
    tmp_path: Path, words: dict[str, str], takes: bool
) -> None:
    """A header that contradicts itself, or what the layers show: refused, or settled by name."""
    path = write(tmp_path / "x.safetensors", lora_of_dense(), metadata=words)

    report = check([path], profile=PROFILE, takes_contradictions=takes).report

    assert reasons(report) == ["OTHER_ARCHITECTURE"]
    assert report.accepted is takes
    assert words["modelspec.architecture"] in report.problems[0].message
    assert "adapters_that_contradict" in report.problems[0].remedy


def test_word_beside_widths_is_told(tmp_path: Path) -> None:
    """Layers of SD 1 under a header of SDXL; and a configuration of another base beside them."""
    profile = sd_profile(text_width=768)
    tensors = _pair(
        "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn2_to_k", inputs=768, outputs=16
    )
    path = write(
        tmp_path / "x.safetensors", tensors, metadata={"ss_base_model_version": "sdxl_1.0"}
    )

    report = check([path], profile=profile).report

    assert reasons(report) == ["OTHER_ARCHITECTURE"] and not report.accepted
