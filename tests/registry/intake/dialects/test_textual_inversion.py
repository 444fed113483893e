# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tabard_registry import Checked, check
from tests.registry.fakes import sd_profile, write
from tests.registry.intake.dialects.transformer_files import PROFILES

WIDTH = 12


def checked(folder: Path, key: str, vectors: object, *words: str) -> Checked:
    """Check one tensor as a file."""
    path = write(folder / "x.safetensors", {key: np.asarray(vectors, "float32")})
    return check([path], profile=sd_profile(), trigger_words=words)


@pytest.mark.parametrize(("shape", "count"), [((WIDTH,), 1), ((1, WIDTH), 1), ((5, WIDTH), 5)])
def test_key_is_the_token(shape: tuple[int, ...], count: int, tmp_path: Path) -> None:
    """The key of the only tensor is the placeholder; its rows are the vectors."""
    result = checked(tmp_path, "<ink>", np.ones(shape))

    report = result.report
    assert (report.accepted, report.kind, report.dialect) == (
        True,
        "textual_inversion",
        "textual_inversion",
    )
    assert (report.trigger_words, report.target_count, report.rank) == (("<ink>",), count, 0)
    assert [(x.token, x.component, x.count) for x in result.tokens] == [
        ("<ink>", "text_encoder", count)
    ]


def test_nameless_vectors_need_a_word(tmp_path: Path) -> None:
    """A file that names no token takes the author's word, and needs it."""
    alone = checked(tmp_path, "emb_params", np.ones((2, WIDTH))).report
    named = checked(tmp_path, "emb_params", np.ones((2, WIDTH)), "<ink>").report

    assert [problem.reason for problem in alone.problems] == ["NO_TRIGGER"]
    assert (named.accepted, named.trigger_words) == (True, ("<ink>",))


def test_author_names_the_token(tmp_path: Path) -> None:
    """One word of the author stands above the file's own; several must contain it."""
    assert checked(tmp_path, "a", np.ones(WIDTH), "b").report.trigger_words == ("b",)
    assert checked(tmp_path, "a", np.ones(WIDTH), "a", "b").report.trigger_words == ("a",)
    assert not checked(tmp_path, "a", np.ones(WIDTH), "b", "c").report.accepted


@pytest.mark.parametrize("token", ["two words", "x" * 65, "\u200b"])
def test_impossible_token_is_refused(token: str, tmp_path: Path) -> None:
    """A placeholder can be written in a prompt."""
    report = checked(tmp_path, token, np.ones(WIDTH)).report

    assert [problem.reason for problem in report.problems] == ["NO_TRIGGER"]


@pytest.mark.parametrize(
    ("width", "family"), [(768, "sd1"), (1024, "sd2"), (4096, "a T5"), (99, "another base")]
)
def test_other_width_names_the_family(width: int, family: str, tmp_path: Path) -> None:
    """Vectors of another width are for another family."""
    report = checked(tmp_path, "<ink>", np.ones((1, width))).report

    assert [problem.reason for problem in report.problems] == ["WRONG_WIDTH"]
    assert family in report.problems[0].message


def test_bad_vectors_are_refused(tmp_path: Path) -> None:
    """NaN, and more vectors than a prompt can hold, are refused."""
    bad = checked(tmp_path, "<ink>", [[np.nan] * WIDTH]).report
    many = checked(tmp_path, "<ink>", np.ones((65, WIDTH))).report

    assert [problem.reason for problem in bad.problems] == ["NOT_FINITE"]
    assert [problem.reason for problem in many.problems] == ["TOO_LARGE"]


@pytest.mark.parametrize(
    "token",
    [
        "<lora:a/b:1>",
        "x<LoHa:y>",
        "embedding:x",
        "<embedding:x>",
        "AND",
        "BREAK",
        "\uff1clora\uff1ax",
        "&lt;lora:x",
    ],
)
def test_word_that_cannot_be_said_is_refused(token: str, tmp_path: Path) -> None:
    """A prompt reads it as something else; another word is asked for when it is published."""
    report = checked(tmp_path, token, np.ones((1, WIDTH), "float32")).report

    assert [one.reason for one in report.problems] == ["NO_TRIGGER"]
    assert "cannot be said" in report.problems[0].message
    assert "trigger word" in report.problems[0].remedy


@pytest.mark.parametrize("token", ["and", "BREAKING", "<lora>", "myembedding:x", "<my-style>"])
def test_word_beside_those_is_taken(token: str, tmp_path: Path) -> None:
    """Only what is read as something else is refused."""
    assert checked(tmp_path, token, np.ones((1, WIDTH), "float32")).report.accepted


@pytest.mark.parametrize("family", PROFILES)
@pytest.mark.parametrize("key", ["t5xxl", "t5"])
def test_word_for_a_t5_is_refused_by_name(family: str, key: str, tmp_path: Path) -> None:
    """It would be read as it is written, and its vectors by nobody."""
    vectors = {name: np.ones((2, WIDTH), "float32") for name in ("clip_l", key)}
    path = write(tmp_path / "x.safetensors", vectors)

    report = check([path], profile=PROFILES[family], trigger_words=["<ink>"]).report

    assert [problem.reason for problem in report.problems] == ["UNSUPPORTED_DIALECT"]
    assert "T5" in report.problems[0].message and key in report.problems[0].message
    assert "CLIPs" in report.problems[0].remedy


@pytest.mark.parametrize(("family", "keys"), [("sd3", ["clip_g", "clip_l"]), ("flux", ["<ink>"])])
def test_clips_of_a_transformer_are_taught(family: str, keys: list[str], tmp_path: Path) -> None:
    """SD3.5's two as SDXL's, and Flux's one as that of SD 1; the T5 beside them is left alone."""
    names = sorted(name for name in PROFILES[family].modules if name != "transformer")[: len(keys)]
    profile = replace(PROFILES[family], token_widths=dict.fromkeys(names, WIDTH))
    path = write(tmp_path / "x.safetensors", {k: np.ones((2, WIDTH), "float32") for k in keys})

    found = check([path], profile=profile, trigger_words=["<ink>"])

    assert found.report.accepted, found.report.problems
    assert sorted(one.component for one in found.tokens) == names
