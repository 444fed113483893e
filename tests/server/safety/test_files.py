# SPDX-License-Identifier: Apache-2.0
"""What lies at the path of a classifier: seen before a start, without a model library."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tabard_server.errors import BadSettings
from tabard_server.safety.files import require_classifier
from tabard_server.safety.settings import SafetyLabel
from tests.server.safety.classifiers import safety

BYTES_MAX = 1_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that looks like a classifier's."""
    config = {"model_type": "vit", "id2label": {"0": "drawing", "1": "gore", "2": "nsfw"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "preprocessor_config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"0" * BYTES_MAX)
    return tmp_path


def test_folder_of_a_classifier_is_one(folder: Path) -> None:
    """Also one whose weights are in pieces."""
    require_classifier(safety(path=str(folder)), bytes_max=BYTES_MAX)

    (folder / "model.safetensors").rename(folder / "model-00001-of-00001.safetensors")
    (folder / "model.safetensors.index.json").write_text("{}")
    require_classifier(safety(path=str(folder)), bytes_max=BYTES_MAX)


def drop(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def write(name: str, text: str) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        (folder / name).write_text(text)

    return spoil


def pickle(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


@pytest.mark.parametrize(
    ("spoil", "reason", "words"),
    [
        (drop("config.json"), "SAFETY_MODEL_UNREADABLE", "has no config.json"),
        (drop("preprocessor_config.json"), "SAFETY_MODEL_UNREADABLE", "has no preprocessor"),
        (pickle, "SAFETY_MODEL_UNREADABLE", "has no model.safetensors"),
        (write("config.json", "{"), "SAFETY_MODEL_UNREADABLE", "table of JSON"),
        (write("config.json", "[" * 90_000), "SAFETY_MODEL_UNREADABLE", "table of JSON"),
        (write("config.json", "{}"), "SAFETY_MODEL_UNSUITABLE", "no label 'nsfw'"),
        (write("model.safetensors", "0" * 1_001), "SAFETY_MODEL_UNSUITABLE", "1001 bytes"),
    ],
)
def test_other_folders_are_refused(
    folder: Path, spoil: Callable[[Path], None], reason: str, words: str
) -> None:
    """With what to do."""
    spoil(folder)

    with pytest.raises(BadSettings, match=words) as refusal:
        require_classifier(safety(path=str(folder)), bytes_max=BYTES_MAX)

    assert refusal.value.reason == reason
    assert refusal.value.hint


def test_name_on_a_hub_is_no_path() -> None:
    """Nothing is downloaded."""
    with pytest.raises(BadSettings, match="no such folder") as refusal:
        require_classifier(safety(path="owner/name"), bytes_max=BYTES_MAX)

    assert (refusal.value.reason, refusal.value.names) == ("SAFETY_MODEL_MISSING", ("safety.path",))
    assert "nothing is downloaded" in refusal.value.hint


def test_unknown_label_is_answered_with_those_there_are(folder: Path) -> None:
    """By the setting that names it."""
    settings = safety(path=str(folder), labels=(SafetyLabel(label="NSFW"),))

    with pytest.raises(BadSettings) as refusal:
        require_classifier(settings, bytes_max=BYTES_MAX)

    assert refusal.value.names == ("safety.labels",)
    assert "'drawing', 'gore', 'nsfw'" in refusal.value.hint
