# SPDX-License-Identifier: Apache-2.0
"""A tokenizer that fits its encoder, or a refusal; a part of one is never used in silence."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import tokenizers
import transformers

from tabard_server.engine.base.place import DEMO_BASE
from tabard_server.engine.base.tokenizers import read_tokenizer
from tabard_server.engine_port.errors import BaseNotLoadable
from tests.server.engine.text import tiny_t5


def _encoder(**changes: int) -> Any:
    said = {"max_position_embeddings": 32, "vocab_size": 833, **changes}
    return SimpleNamespace(config=SimpleNamespace(model_type="clip_text_model", **said))


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


def _t5(**changes: int) -> Any:
    config = tiny_t5.new_config(width=32)
    config.update(changes)
    return SimpleNamespace(config=config)


def test_tokenizer_of_a_t5_is_read(tmp_path: Path) -> None:
    """It splits words as transformers does, and knows fewer of them than its encoder."""
    tiny_t5.write_tokenizer(tmp_path)

    found = read_tokenizer(tmp_path, encoder=_t5())

    theirs = transformers.T5Tokenizer.from_pretrained(tmp_path)
    text = "a red circle, and (eggs) in ümläuts"
    assert found(text).input_ids == theirs(text).input_ids
    assert len(found) < _t5().config.vocab_size


def test_long_tokenizer_of_a_t5_is_read(tmp_path: Path) -> None:
    """The published one has 32,100 pieces in 2.4 MB; bounds leave it alone."""
    tiny_t5.write_tokenizer(tmp_path)
    file = tmp_path / "tokenizer.json"
    said = json.loads(file.read_text())
    pieces = [[f"▁word{n}", -9.0 - n / 1e4] for n in range(32_100 - len(said["model"]["vocab"]))]
    added = len(said["added_tokens"]) - 3
    said["model"]["vocab"][-added:-added] = pieces
    for one in said["added_tokens"][3:]:
        one["id"] += len(pieces)
    file.write_text(json.dumps(said, indent=2))

    found = read_tokenizer(tmp_path, encoder=_t5(vocab_size=32_128))

    assert len(found) == 32_100
    assert found.tokenize("a word31000") == ["▁a", "▁word31000"]


def test_spaces_may_be_joined_before(tmp_path: Path) -> None:
    """Files of some versions say so; words are split at spaces in any case."""
    tiny_t5.write_tokenizer(tmp_path)
    plain = read_tokenizer(tmp_path, encoder=_t5())
    joining = {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": "▁"}
    stripping = {"type": "Strip", "strip_left": False, "strip_right": True}
    steps = {"type": "Sequence", "normalizers": [stripping, joining]}
    _change_t5(lambda said: said.update(normalizer=steps))(tmp_path)

    found = read_tokenizer(tmp_path, encoder=_t5())

    text = " a  red   circle "
    assert found(text).input_ids == plain(text).input_ids
    assert found.tokenize(text) == tokenized(tmp_path, text)


def tokenized(folder: Path, text: str) -> list[str]:
    """Tokenize as the file itself says."""
    raw = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    return list(raw.encode(text, add_special_tokens=False).tokens)


def _change_t5(change: Callable[[Any], object]) -> Callable[[Path], object]:
    def apply(folder: Path) -> None:
        file = folder / "tokenizer.json"
        said = json.loads(file.read_text())
        change(said)
        file.write_text(json.dumps(said))

    return apply


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda folder: (folder / "tokenizer.json").unlink(), "has no tokenizer.json"),
        (lambda folder: (folder / "tokenizer.json").write_text(""), "cannot be read"),
        (lambda folder: (folder / "tokenizer.json").write_text("{}"), "cannot be read"),
        (_change_t5(lambda said: said["model"]["vocab"].pop(20)), "pieces of it are missing"),
        (_change_t5(lambda said: said["model"].update(unk_id=3)), "not T5's"),
        (_change_t5(lambda said: said.update(normalizer={"type": "Lowercase"})), "not T5's"),
        (_change_t5(lambda said: said["model"]["vocab"].extend([["x", 0]] * 99)), "lists 229"),
    ],
)
def test_damaged_tokenizer_of_a_t5_is_refused(
    tmp_path: Path, damage: Callable[[Path], object], says: str
) -> None:
    """A part of one is never used in silence."""
    tiny_t5.write_tokenizer(tmp_path)
    damage(tmp_path)

    with pytest.raises(BaseNotLoadable, match=says) as caught:
        read_tokenizer(tmp_path, encoder=_t5())

    assert str(tmp_path) in str(caught.value) and caught.value.hint


@pytest.mark.parametrize(
    ("encoder", "says"),
    [
        (_t5(vocab_size=128), "knows 130 tokens, and its encoder 128"),
        (_t5(pad_token_id=3), "not how its encoder was trained"),
    ],
)
def test_tokenizer_of_another_t5_is_refused(tmp_path: Path, encoder: Any, says: str) -> None:
    """Its tokens would be rows of a table that has fewer, or mean something else."""
    tiny_t5.write_tokenizer(tmp_path)

    with pytest.raises(BaseNotLoadable, match=says):
        read_tokenizer(tmp_path, encoder=encoder)


def test_tokenizer_of_a_clip_is_none_of_a_t5(tmp_path: Path) -> None:
    """Folders that were exchanged are seen."""
    folder = _copy(tmp_path / "t", "tokenizer.json")

    with pytest.raises(BaseNotLoadable):
        read_tokenizer(folder, encoder=_t5(vocab_size=1000))
