# SPDX-License-Identifier: Apache-2.0
"""`tabard extract` in this process: exit code, stdout, stderr."""

import json
import shutil
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from tabard.cli import run
from tests.bases import make_tiny_base
from tests.tuned_models import add_everywhere, make_tuned_model

_QUICK = ["--prompt", "a red circle", "--steps", "2", "--size", "32"]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a tiny sd1 base."""
    return make_tiny_base(tmp_path_factory.mktemp("extract") / "sd1", seed=1)


@pytest.fixture(scope="module")
def tuned(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a checkpoint that differs everywhere."""
    return make_tuned_model(base, tmp_path_factory.mktemp("tuned") / "tuned", add_everywhere(0.07))


def test_extract_says_what_it_kept(
    tmp_path: Path, base: Path, tuned: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """People get blocks, pictures, warnings and the next command."""
    out = tmp_path / "dog.safetensors"
    choice = ["--rank", "4", "--low-rank-only", "--error-max", "9"]

    code = run(["extract", str(tuned), "--base", str(base), "--out", str(out), *choice, *_QUICK])

    said = capsys.readouterr().out
    assert code == 0
    assert out.exists()
    for words in ("mid_block", "text_encoder", "a red circle", "row by row", "layers that lose"):
        assert words in said
    assert "warning: " in said
    assert f"next: tabard publish NS/NAME {out}" in said


def test_extract_answers_as_json(
    tmp_path: Path, base: Path, tuned: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The whole report is one document."""
    out = tmp_path / "dog.safetensors"
    arguments = ["extract", str(tuned), "--base", str(base), "--out", str(out), "--energy", "0.5"]

    code = run([*arguments, "--no-probe", "--json"])

    document = json.loads(capsys.readouterr().out)
    assert code == 0
    assert document["accepted"] and document["problems"] == []
    assert document["mode"] == "merged"
    assert document["image_error"] is None
    assert all(one["relative_error"] <= 0.5**0.5 + 1e-3 for one in document["layers"])


def test_refused_pictures_exit_with_four(
    tmp_path: Path, base: Path, tuned: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The report comes with the refusal and its remedy, and no file."""
    out = tmp_path / "dog.safetensors"
    arguments = ["extract", str(tuned), "--base", str(base), "--out", str(out), "--rank", "1"]

    code = run([*arguments, *_QUICK, "--error-max", "0", "--json"])

    document = json.loads(capsys.readouterr().out)
    assert code == 4
    assert not document["accepted"]
    assert document["problems"][0]["reason"] == "IMAGE_ERROR_TOO_LARGE"
    assert document["pictures"][0]["pixel_mean"] > 0
    assert not out.exists()


@pytest.mark.parametrize(
    ("extra", "reason"),
    [
        (["--rank", "4", "--energy", "0.5"], "SETTING_INVALID"),
        (["--rank", "0"], "SETTING_INVALID"),
        (["--exact", "--low-rank-only"], "SETTING_INVALID"),
    ],
)
def test_impossible_choices_say_why(
    tmp_path: Path,
    base: Path,
    tuned: Path,
    capsys: pytest.CaptureFixture[str],
    extra: list[str],
    reason: str,
) -> None:
    """A refusal of the extraction is one of the command line's."""
    code = run(["extract", str(tuned), "--base", str(base), "--out", str(tmp_path / "o"), *extra])

    said = capsys.readouterr().err
    assert code == 4
    assert f"reason: {reason}" in said
    assert "hint: " in said


def test_named_words_settle_a_contradiction(
    tmp_path: Path, base: Path, tuned: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What `serve` has settings for, `extract` and `check` have options for."""
    contrary = Path(shutil.copytree(base, tmp_path / "contrary"))
    weights = contrary / "unet" / "diffusion_pytorch_model.safetensors"
    words = {
        "modelspec.prediction_type": "v",
        "ss_zero_terminal_snr": "True",
        "modelspec.architecture": "stable-diffusion-xl-v1-base",
    }
    save_file(load_file(str(weights)), str(weights), metadata=words)
    config = contrary / "scheduler" / "scheduler_config.json"
    said = json.loads(config.read_text()) | {"rescale_betas_zero_snr": False}
    config.write_text(json.dumps(said))
    out = tmp_path / "dog.safetensors"
    extraction = ["extract", str(tuned), "--out", str(out), "--no-probe", "--base", str(contrary)]
    named = ["--base-prediction", "v_prediction", "--no-base-zero-snr", "--base-family", "sd1"]

    codes = [
        run(arguments)
        for arguments in (
            extraction,
            [*extraction, *named[:2]],
            [*extraction, *named[:3]],
            [*extraction, *named],
            ["check", str(out), "--base", str(contrary), *named],
        )
    ]

    assert codes == [4, 4, 4, 0, 0], capsys.readouterr().err
