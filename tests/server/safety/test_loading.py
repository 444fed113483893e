# SPDX-License-Identifier: Apache-2.0
"""Loaded classifiers against the pipeline of transformers, which knows nothing of us."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file, save_file
from transformers import pipeline

from tabard_server.errors import BadSettings
from tabard_server.safety.loading import load_classifier
from tabard_server.safety.verdict import judge
from tests.server.safety.classifiers import LABELS, noise, safety, save_vit

BYTES_MAX = 1 << 24
PICTURES = [noise(1), noise(2), np.zeros((40, 16, 3), dtype=np.uint8)]


@pytest.mark.parametrize("problem", ["", "multi_label_classification"])
def test_scores_are_those_of_the_pipeline(tmp_path: Path, problem: str) -> None:
    """Of labels that exclude each other, and of labels that do not."""
    folder = save_vit(tmp_path, lifts="gore", problem=problem)
    classify = load_classifier(safety(path=str(folder)), bytes_max=BYTES_MAX)
    oracle: Any = pipeline("image-classification", model=str(folder), device="cpu")

    for pixels in PICTURES:
        wanted = {
            one["label"]: one["score"] for one in oracle(Image.fromarray(pixels), top_k=len(LABELS))
        }
        found = classify(pixels)

        assert found == pytest.approx(wanted, abs=1e-5)
    assert classify(PICTURES[0]) != pytest.approx(classify(PICTURES[2]), abs=1e-6)


@pytest.mark.parametrize("lifts", LABELS)
def test_verdict_of_a_biased_head_is_known(tmp_path: Path, lifts: str) -> None:
    """It sees one thing in everything, and that counts or does not."""
    settings = safety(path=str(save_vit(tmp_path, lifts=lifts)))
    classify = load_classifier(settings, bytes_max=BYTES_MAX)

    for pixels in PICTURES:
        verdict = judge(classify(pixels), settings=settings)
        assert verdict.label == ("" if lifts == "drawing" else lifts)


def cut_off(folder: Path) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])


def take_weights(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    del weights["classifier.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def make_nan(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    weights["classifier.bias"][:] = np.nan
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def name_code_of_its_own(folder: Path) -> None:
    file = folder / "config.json"
    config = json.loads(file.read_text())
    config["model_type"] = "mine"
    config["auto_map"] = {
        "AutoConfig": "code.Mine",
        "AutoModelForImageClassification": "code.Model",
    }
    file.write_text(json.dumps(config))
    (folder / "code.py").write_text(f"open({str(folder / 'ran')!r}, 'w')")


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (cut_off, "SAFETY_MODEL_UNREADABLE"),
        (take_weights, "SAFETY_MODEL_UNREADABLE"),
        (make_nan, "SAFETY_MODEL_UNSUITABLE"),
        (name_code_of_its_own, "SAFETY_MODEL_UNREADABLE"),
    ],
)
def test_models_that_do_not_work_end_the_start(tmp_path: Path, spoil: Any, reason: str) -> None:
    """Weights that are missing would be made up; code of a model's own is never run."""
    folder = save_vit(tmp_path)
    spoil(folder)

    with pytest.raises(BadSettings) as refusal:
        load_classifier(safety(path=str(folder)), bytes_max=BYTES_MAX)

    assert refusal.value.reason == reason
    assert not (folder / "ran").exists()
