# SPDX-License-Identifier: Apache-2.0
import dataclasses
from pathlib import Path

import numpy as np
import pytest

from tabard_registry import BaseProfile, Checked, check
from tests.registry.fakes import Tensors, kohya_tensors, write
from tests.registry.intake.change_files import kept
from tests.registry.intake.lora_files import PROFILE, reasons, renamed

RNG = np.random.default_rng(3)
LARGE = dataclasses.replace(
    PROFILE,
    family="sdxl",
    modules={**PROFILE.modules, "text_encoder_2": PROFILE.modules["text_encoder"]},
    token_widths={"text_encoder": 12, "text_encoder_2": 20},
)
TEXT = "text_model.encoder.layers.0.mlp.fc1"
LORA = kohya_tensors(PROFILE, modules=[("unet", "mid_block.attentions.0.proj_in")])
LETTERED = renamed(LORA, {"lora_down.weight": ".lora_A.weight", "lora_up.weight": ".lora_B.weight"})
COMFYUI = {
    key.replace("lora_unet_mid_block_attentions_0_", "diffusion_model.middle_block.1."): value
    for key, value in LORA.items()
}


def vectors(count: int, width: int = 12) -> np.ndarray:
    """Some vectors of a word."""
    return RNG.standard_normal((count, width)).astype("float32")


def checked(
    folder: Path, tensors: Tensors, *, profile: BaseProfile = PROFILE, words: tuple[str, ...] = ()
) -> Checked:
    """Check a LoRA and what is bundled with it."""
    path = write(folder / "x.safetensors", {**LORA, **tensors})
    return check([path], profile=profile, trigger_words=words)


@pytest.mark.parametrize("part", ["clip_l", "emb_params", "string_to_param.*"])
@pytest.mark.parametrize("layers", [LORA, LETTERED, COMFYUI], ids=["kohya", "diffusers", "comfyui"])
def test_words_come_with_layers_of_any_dialect(layers: Tensors, part: str, tmp_path: Path) -> None:
    """One release changes layers and teaches words; not a tensor is left."""
    one, two = vectors(2), vectors(1)
    words = {f"bundle_emb.<ink>.{part}": one, f"bundle_emb.mark.x.{part}": two}
    path = write(tmp_path / "x.safetensors", {**layers, **words})

    result = check([path], profile=PROFILE)
    manifest, canonical = kept(result, tmp_path)

    report = result.report
    assert (report.accepted, report.kind, len(manifest.targets)) == (True, "lora", 1)
    assert report.tensors_applied == report.tensor_count == len(layers) + 2
    assert [(x.token, x.component, x.count) for x in manifest.tokens] == [
        ("<ink>", "text_encoder", 2),
        ("mark.x", "text_encoder", 1),
    ]
    assert np.array_equal(canonical.tokens["text_encoder"], np.concatenate([one, two]))
    assert manifest.trigger_words == ("<ink>", "mark.x")


def test_both_encoders_learn_a_word(tmp_path: Path) -> None:
    """SDXL has vectors of each of its encoders."""
    tensors = {
        "bundle_emb.<ink>.clip_l": vectors(2),
        "bundle_emb.<ink>.clip_g": vectors(2, 20),
    }

    result = checked(tmp_path, tensors, profile=LARGE)

    assert result.report.accepted, result.report.problems
    assert [(x.component, x.count) for x in result.tokens] == [
        ("text_encoder", 2),
        ("text_encoder_2", 2),
    ]


def test_words_of_the_author_are_kept_too(tmp_path: Path) -> None:
    """A bundled word keeps its name, and the author's words wake the layers."""
    result = checked(tmp_path, {"bundle_emb.<ink>.clip_l": vectors(1)}, words=("sketch", "<ink>"))

    assert result.report.trigger_words == ("<ink>", "sketch")
    assert [token.token for token in result.tokens] == ["<ink>"]


REFUSED: dict[str, tuple[Tensors, BaseProfile, str, str]] = {
    "output embedding": (
        {"bundle_emb.<ink>.clip_l_out": vectors(1)},
        PROFILE,
        "UNSUPPORTED_DIALECT",
        "replace what a text encoder gives out",
    ),
    "unknown tensor": (
        {"bundle_emb.<ink>.t5": vectors(1)},
        PROFILE,
        "UNSUPPORTED_DIALECT",
        "bundle_emb.<ink>.t5",
    ),
    "no word": ({"bundle_emb.clip_l": vectors(1)}, PROFILE, "UNSUPPORTED_DIALECT", "no known"),
    "half a pair": (
        {"bundle_emb.<ink>.clip_l": vectors(1)},
        LARGE,
        "INCOMPLETE_PAIR",
        "'<ink>' has vectors 1 in clip_l",
    ),
    "pair of two lengths": (
        {"bundle_emb.<ink>.clip_l": vectors(1), "bundle_emb.<ink>.clip_g": vectors(2, 20)},
        LARGE,
        "INCOMPLETE_PAIR",
        "2 in clip_g",
    ),
    "pair for one encoder": (
        {"bundle_emb.<ink>.clip_l": vectors(1), "bundle_emb.<ink>.clip_g": vectors(1, 20)},
        PROFILE,
        "INCOMPLETE_PAIR",
        "this base has text_encoder",
    ),
    "one encoder twice": (
        {"bundle_emb.<ink>.clip_l": vectors(1), "bundle_emb.<ink>.emb_params": vectors(1)},
        PROFILE,
        "INCOMPLETE_PAIR",
        "1 in emb_params",
    ),
    "another width": ({"bundle_emb.<ink>.clip_l": vectors(1, 13)}, PROFILE, "WRONG_WIDTH", "13"),
    "word of two": ({"bundle_emb.an ink.clip_l": vectors(1)}, PROFILE, "NO_TRIGGER", "space"),
    "not finite": (
        {"bundle_emb.<ink>.clip_l": np.full((1, 12), np.nan, "float32")},
        PROFILE,
        "NOT_FINITE",
        "clip_l",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_impossible_word_is_refused(name: str, tmp_path: Path) -> None:
    """A word that cannot be worn as its writer meant it refuses the file, and says why."""
    tensors, profile, reason, detail = REFUSED[name]

    report = checked(tmp_path, tensors, profile=profile).report

    assert reasons(report) == [reason]
    assert detail in report.problems[0].message and report.problems[0].remedy


def test_words_alone_are_refused(tmp_path: Path) -> None:
    """Without layers it is no bundle."""
    path = write(tmp_path / "x.safetensors", {"bundle_emb.<ink>.clip_l": vectors(1)})

    report = check([path], profile=PROFILE).report

    assert reasons(report) == ["EMPTY"] and "no layers" in report.problems[0].message


def test_word_of_two_files_is_refused(tmp_path: Path) -> None:
    """Nobody says whose vectors it should mean."""
    word = {"bundle_emb.<ink>.clip_l": vectors(1)}
    text = kohya_tensors(PROFILE, modules=[("text_encoder", TEXT)])
    files = [
        write(tmp_path / f"{number}.safetensors", {**layers, **word})
        for number, layers in enumerate((LORA, text))
    ]

    report = check(files, profile=PROFILE).report

    assert reasons(report) == ["DUPLICATE_TARGET"] and "'<ink>'" in report.problems[0].message
