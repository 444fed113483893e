# SPDX-License-Identifier: Apache-2.0
"""A tokenizer that fits its encoder, or a refusal; a part of one is never used in silence."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import transformers

from tabard_server.engine.base.place import DEMO_BASE
from tabard_server.engine.base.tokenizers import read_tokenizer
from tabard_server.engine_port.errors import BaseNotLoadable


def _encoder(**changes: int) -> Any:
    said = {"max_position_embeddings": 32, "vocab_size": 833, **changes}
    return SimpleNamespace(config=SimpleNamespace(**said))


def _copy(folder: Path, *names: str) -> Path:
    folder.mkdir()
    for name in (*names, "tokenizer_config.json"):
        shutil.copy(DEMO_BASE / "tokenizer" / name, folder)
    return folder


@pytest.mark.parametrize("names", [["tokenizer.json"], ["vocab.json", "merges.txt"]])
def test_either_form_is_read(tmp_path: Path, names: list[str]) -> None:
    """The new form and the old one split words alike."""
    found = read_tokenizer(_copy(tmp_path / "t", *names), encoder=_encoder())

    whole = read_tokenizer(DEMO_BASE / "tokenizer", encoder=_encoder())
    assert found("a red circle").input_ids == whole("a red circle").input_ids


@pytest.mark.parametrize("share", [0.3, 0.9])
def test_cut_list_of_merges_is_refused(tmp_path: Path, share: float) -> None:
    """A list that ends too early splits words in another way, and no library says so."""
    file = _copy(tmp_path / "t", "vocab.json", "merges.txt") / "merges.txt"
    lines = file.read_text().splitlines()
    file.write_text("\n".join(lines[: int(len(lines) * share)]) + "\n")

    with pytest.raises(BaseNotLoadable, match="merges, which do not make"):
        read_tokenizer(file.parent, encoder=_encoder())


def _drop_merges(file: Path) -> None:
    document = json.loads(file.read_text())
    document["model"]["merges"] = document["model"]["merges"][:-5]
    file.write_text(json.dumps(document))


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (Path.unlink, "cannot be read|merges"),
        (lambda file: file.write_text(""), "cannot be read"),
        (lambda file: file.write_text("{}"), "cannot be read"),
        (_drop_merges, "do not make 5 of its words"),
    ],
)
def test_damaged_tokenizer_is_refused(
    tmp_path: Path, damage: Callable[[Path], object], says: str
) -> None:
    """The folder is named, and no library's text is passed on."""
    folder = _copy(tmp_path / "t", "tokenizer.json")
    damage(folder / "tokenizer.json")

    with pytest.raises(BaseNotLoadable, match=says) as caught:
        read_tokenizer(folder, encoder=_encoder())

    assert str(folder) in str(caught.value) and caught.value.hint


@pytest.mark.parametrize(
    ("encoder", "says"),
    [
        (_encoder(max_position_embeddings=77), "writes 32 tokens, and its encoder reads 77"),
        (_encoder(vocab_size=800), "833 words or merges, and its encoder knows 800"),
    ],
)
def test_tokenizer_of_another_encoder_is_refused(encoder: Any, says: str) -> None:
    """Its tokens would be rows of a table that has fewer."""
    with pytest.raises(BaseNotLoadable, match=says):
        read_tokenizer(DEMO_BASE / "tokenizer", encoder=encoder)


def test_folder_that_is_not_there(tmp_path: Path) -> None:
    """It is not looked for on the hub."""
    with pytest.raises(BaseNotLoadable, match="is not there"):
        read_tokenizer(tmp_path / "gone", encoder=_encoder())


def _say_again(file: Path) -> None:
    document = json.loads(file.read_text())
    document["model"]["merges"] *= 1_000
    file.write_text(json.dumps(document))


@pytest.mark.parametrize(
    ("name", "swell", "says"),
    [
        ("tokenizer.json", _say_again, "lists .* merges, and its encoder knows 833"),
        ("tokenizer.json", lambda file: file.write_text(" " * (9 << 20)), "at most 8388608"),
        ("merges.txt", lambda file: file.write_text("a b\n" * 900), "lists 900 words or merges"),
        (
            "added_tokens.json",
            lambda file: file.write_text(json.dumps({f"w{n}": n for n in range(900)})),
            "lists 900 words or merges",
        ),
        ("tokenizer_config.json", lambda file: file.write_text("{"), "config.json is not JSON"),
    ],
)
def test_oversized_tokenizer_is_not_built(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    swell: Callable[[Path], object],
    says: str,
) -> None:
    """A library would take minutes and gigabytes before anybody could compare."""
    folder = _copy(tmp_path / "t", "tokenizer.json", "merges.txt")
    swell(folder / name)
    monkeypatch.setattr(transformers.CLIPTokenizer, "from_pretrained", _build_nothing)

    with pytest.raises(BaseNotLoadable, match=says) as caught:
        read_tokenizer(folder, encoder=_encoder())

    assert caught.value.hint


def _build_nothing(*_arguments: object, **_options: object) -> None:
    raise AssertionError("it was built")
