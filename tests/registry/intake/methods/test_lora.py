# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import numpy as np
import pytest

from tabard_registry import check
from tabard_registry.intake.dialects.module_names import kohya_modules
from tests.registry.fakes import (
    Tensors,
    kohya_name,
    kohya_tensors,
    sd15_profile,
    sd_profile,
    write,
)
from tests.registry.intake.lora_files import (
    PROFILE,
    TARGETS,
    assert_all_applied,
    checked,
    reasons,
    renamed,
)


def test_kohya_file_applies_completely(tmp_path: Path) -> None:
    """Linear layers and 1x1 convolutions of both components, alpha not the rank."""
    result = checked(tmp_path, kohya_tensors(PROFILE, rank=4, alpha=1.0))

    assert_all_applied(result, scale=0.25, dialect="kohya")
    assert (result.report.kind, result.report.rank) == ("lora", 4)


def test_kohya_without_alpha_has_rank(tmp_path: Path) -> None:
    """A missing alpha is the rank."""
    assert_all_applied(
        checked(tmp_path, kohya_tensors(PROFILE, alpha=None)), scale=1.0, dialect="kohya"
    )


@pytest.mark.parametrize(
    ("module", "original"),
    [
        ("down_blocks.0.attentions.0.proj_in", "input_blocks_1_1_proj_in"),
        (
            "down_blocks.0.attentions.1.transformer_blocks.0.attn1.to_q",
            "input_blocks_2_1_transformer_blocks_0_attn1_to_q",
        ),
        (
            "down_blocks.2.attentions.1.transformer_blocks.0.attn2.to_out.0",
            "input_blocks_8_1_transformer_blocks_0_attn2_to_out_0",
        ),
        (
            "mid_block.attentions.0.transformer_blocks.0.ff.net.0.proj",
            "middle_block_1_transformer_blocks_0_ff_net_0_proj",
        ),
        ("up_blocks.1.attentions.0.proj_out", "output_blocks_3_1_proj_out"),
        (
            "up_blocks.3.attentions.2.transformer_blocks.0.attn2.to_k",
            "output_blocks_11_1_transformer_blocks_0_attn2_to_k",
        ),
        ("down_blocks.1.resnets.0.time_emb_proj", "input_blocks_4_0_emb_layers_1"),
        ("up_blocks.0.resnets.2.time_emb_proj", "output_blocks_2_0_emb_layers_1"),
    ],
)
def test_original_names_follow_blocks(module: str, original: str) -> None:
    """The original code's names of SD1.5 are those that its files really have."""
    modules = kohya_modules(sd15_profile())

    assert modules[f"lora_unet_{original}"] == ("unet", module)
    assert modules["lora_unet_" + module.replace(".", "_")] == ("unet", module)


def test_mixed_block_names_apply(tmp_path: Path) -> None:
    """A file that mixes diffusers and original block names loses nothing."""
    flipped = {
        target: name
        for name, target in kohya_modules(PROFILE).items()
        if "_input_blocks_" in name or "_output_blocks_" in name or "_middle_block_" in name
    }
    tensors = kohya_tensors(
        PROFILE,
        alpha=1.0,
        name=lambda c, m: flipped[c, m] if c == "unet" and "attn1" in m else kohya_name(c, m),
    )

    assert any("input_blocks" in key for key in tensors)
    assert any("down_blocks" in key for key in tensors)
    assert_all_applied(checked(tmp_path, tensors), scale=0.5, dialect="kohya")


def test_one_layer_under_two_names(tmp_path: Path) -> None:
    """A layer that a file changes twice is refused."""
    module = "down_blocks.0.attentions.0.proj_in"
    tensors = {
        **kohya_tensors(PROFILE, modules=[("unet", module)]),
        **kohya_tensors(
            PROFILE,
            modules=[("unet", module)],
            name=lambda c, m: "lora_unet_input_blocks_1_1_proj_in",
        ),
    }

    assert reasons(checked(tmp_path, tensors).report) == ["DUPLICATE_TARGET"]


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


def test_key_of_no_module_is_refused(tmp_path: Path) -> None:
    """Keys that fit no module are named, and nothing is dropped."""
    tensors = kohya_tensors(PROFILE)
    tensors["lora_unet_down_blocks_9_attentions_0_proj_in.lora_down.weight"] = np.ones((2, 8))

    report = checked(tmp_path, tensors).report

    assert reasons(report) == ["UNKNOWN_KEYS"]
    assert "lora_unet_down_blocks_9" in report.problems[0].keys[0]
    assert report.tensors_applied == report.tensor_count - 1


def test_stray_key_is_refused(tmp_path: Path) -> None:
    """A key of no dialect beside good ones is refused."""
    tensors = {**kohya_tensors(PROFILE), "something": np.ones(3)}

    assert reasons(checked(tmp_path, tensors).report) == ["UNKNOWN_KEYS"]


@pytest.mark.parametrize("part", ["lora_up.weight", "lora_down.weight"])
def test_half_a_pair_is_refused(part: str, tmp_path: Path) -> None:
    """A layer with one factor is named."""
    tensors = kohya_tensors(PROFILE)
    del tensors[f"lora_unet_mid_block_attentions_0_proj_in.{part}"]

    report = checked(tmp_path, tensors).report

    assert reasons(report) == ["INCOMPLETE_PAIR"]
    assert "mid_block.attentions.0.proj_in" in report.problems[0].message


def test_other_text_width_is_another_base(tmp_path: Path) -> None:
    """A LoRA of SD1.5's text width on another base is told where it belongs."""
    other = sd_profile(layers_per_block=2, text_width=768, text_layers=2)

    report = checked(tmp_path, kohya_tensors(other)).report

    assert reasons(report) == ["SHAPE_MISMATCH"]
    message = report.problems[0].message
    assert message.startswith("this file is for another base or family")
    assert "attn2.to_k maps 768" in message and "sd1" in message


def test_disagreeing_ranks_are_refused(tmp_path: Path) -> None:
    """The factors of a pair have one rank."""
    tensors = kohya_tensors(PROFILE)
    key = "lora_unet_mid_block_attentions_0_proj_in.lora_up.weight"
    tensors[key] = np.ones((16, 3, 1, 1), "float16")

    assert reasons(checked(tmp_path, tensors).report) == ["INCOMPLETE_PAIR"]


def test_rank_over_the_limit_is_refused(tmp_path: Path) -> None:
    """The rank that a merged copy takes has a limit with a name."""
    modules = [("unet", "mid_block.attentions.0.proj_in")]

    report = checked(tmp_path, kohya_tensors(PROFILE, rank=4097, modules=modules)).report

    assert reasons(report) == ["RANK_TOO_LARGE"]


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("part", ["lora_up.weight", "lora_down.weight"])
def test_bad_number_is_refused(value: float, part: str, tmp_path: Path) -> None:
    """One NaN or infinity refuses the file and names the tensor."""
    tensors = kohya_tensors(PROFILE)
    key = f"lora_unet_mid_block_attentions_0_proj_in.{part}"
    tensors[key].flat[-1] = value

    report = checked(tmp_path, tensors).report

    assert reasons(report) == ["NOT_FINITE"]
    assert key in report.problems[0].message


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0])
def test_impossible_alpha_is_refused(value: float, tmp_path: Path) -> None:
    """An alpha that silences or breaks a layer is refused."""
    report = checked(tmp_path, kohya_tensors(PROFILE, alpha=value)).report

    assert reasons(report) == ["BAD_ALPHA"]


def test_integer_weights_are_refused(tmp_path: Path) -> None:
    """Weights are floats."""
    tensors = kohya_tensors(PROFILE, dtype="int8")

    assert reasons(checked(tmp_path, tensors).report) == ["UNSUPPORTED_DTYPE"]


def test_zero_file_is_a_warning(tmp_path: Path) -> None:
    """A LoRA without effect is accepted, and said so."""
    tensors = kohya_tensors(PROFILE)
    for key, value in tensors.items():
        if key.endswith("lora_up.weight"):
            value[:] = 0

    report = checked(tmp_path, tensors).report

    assert (report.accepted, reasons(report)) == (True, ["NO_EFFECT"])


def test_metadata_is_kept_within_bounds(tmp_path: Path) -> None:
    """Training metadata is kept, cut where it is too long, and trigger words are found in it."""
    metadata = {"ss_epoch": "7", "long": "x" * 9_000, "modelspec.trigger_phrase": "inkstyle, wash"}

    report = checked(tmp_path, kohya_tensors(PROFILE), metadata=metadata).report

    assert report.training["ss_epoch"] == "7"
    assert len(report.training["long"]) == 4_000
    assert report.trigger_words == ("inkstyle", "wash")


def test_dreambooth_is_what_its_author_says(tmp_path: Path) -> None:
    """A DreamBooth LoRA is one by word of the author or of the metadata."""
    tensors = kohya_tensors(PROFILE)

    said = checked(tmp_path, tensors, kind="dreambooth", trigger_words=["sks dog"]).report
    written = checked(tmp_path, tensors, metadata={"instance_prompt": "a sks dog"}).report
    wrong = checked(tmp_path, tensors, kind="textual_inversion").report

    assert (said.kind, said.trigger_words, said.problems) == ("dreambooth", ("sks dog",), ())
    assert (written.kind, reasons(written)) == ("dreambooth", ["NO_TRIGGER"])
    assert reasons(wrong) == ["KIND_MISMATCH"]


def test_mixed_dialects_are_refused(tmp_path: Path) -> None:
    """One file speaks one dialect."""
    table = {"lora_down.weight": ".lora_A.weight", "lora_up.weight": ".lora_B.weight"}
    tensors = kohya_tensors(PROFILE)
    tensors.update(renamed(tensors, table))

    report = checked(tmp_path, tensors).report

    assert reasons(report) == ["MIXED_DIALECTS"]
    assert "kohya, diffusers" in report.problems[0].message


def test_two_files_are_one_release(tmp_path: Path) -> None:
    """UNet and text encoder may come in two files, but no layer in both."""
    unet = [target for target in TARGETS if target[0] == "unet"]
    text = [target for target in TARGETS if target[0] != "unet"]
    one = write(tmp_path / "1.safetensors", kohya_tensors(PROFILE, modules=unet))
    two = write(tmp_path / "2.safetensors", kohya_tensors(PROFILE, modules=text))

    assert_all_applied(check([one, two], profile=PROFILE), scale=0.5, dialect="kohya")
    assert reasons(check([one, one], profile=PROFILE).report) == ["DUPLICATE_TARGET"]
    assert reasons(check([], profile=PROFILE).report) == ["EMPTY"]
    assert reasons(check([one] * 9, profile=PROFILE).report) == ["TOO_LARGE"]
