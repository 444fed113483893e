# SPDX-License-Identifier: Apache-2.0
"""The tokenizer of a text encoder: read from its folder, and seen to fit the encoder.

In: a folder, and the encoder. Out: a tokenizer whose every token the encoder knows. A tokenizer
that lost a part of its files splits words in another way and says nothing; here it is refused.
"""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import transformers

from tabard_registry.regular_file import open_regular
from tabard_server.engine.base.files.tensor_file import unreadable
from tabard_server.engine.base.text_layout import T5
from tabard_server.engine_port.errors import BaseNotLoadable

FILE_BYTES_MAX = 8 << 20
"""Largest file of a tokenizer; the largest of CLIP and T5 has under four megabytes."""
_AGAIN = "copy or download the folder again, or save the pipeline again"
_END_OF_WORD = "</w>"
_SPACES = {"Regex": " {2,}"}
_LINES_BESIDE = 16
"""Lines of a list of merges that are none, and then some."""


def read_tokenizer(folder: Path, *, encoder: Any) -> Any:
    """Read a tokenizer for a text encoder, a CLIP or a T5.

    Raises:
        BaseNotLoadable: It is not there, broken, or of another encoder.
    """
    if not folder.is_dir():
        raise BaseNotLoadable(f"{folder} is not there", hint=_AGAIN)
    _refuse_oversized(folder, words_max=int(encoder.config.vocab_size))
    read = _read_t5 if encoder.config.model_type == T5 else _read_clip
    return read(folder, encoder=encoder)


def _read_clip(folder: Path, *, encoder: Any) -> Any:
    try:
        tokenizer = transformers.CLIPTokenizer.from_pretrained(str(folder), local_files_only=True)
        model = json.loads(tokenizer.backend_tokenizer.to_str())["model"]
    # The library raises bare exceptions for files that it cannot read.
    except Exception as error:
        raise BaseNotLoadable(f"the tokenizer in {folder} cannot be read", hint=_AGAIN) from error
    _refuse_unfit(tokenizer, encoder=encoder, folder=folder)
    _refuse_unmade_words(tokenizer, model=model, folder=folder)
    return tokenizer


def _read_t5(folder: Path, *, encoder: Any) -> Any:
    """Read a T5's tokenizer, from the one file that the library reads without any help."""
    file = folder / "tokenizer.json"
    if not file.is_file():
        raise BaseNotLoadable(
            f"the tokenizer in {folder} has no {file.name}",
            hint="load it with transformers' T5Tokenizer, with sentencepiece beside it, and save "
            "it there with save_pretrained",
        )
    try:
        said = json.loads(file.read_bytes())
        tokenizer = transformers.T5Tokenizer.from_pretrained(str(folder), local_files_only=True)
        problem = _unfit_t5(tokenizer, said=said, config=encoder.config)
    # The library raises bare exceptions for files that it cannot read.
    except Exception as error:
        raise BaseNotLoadable(f"the tokenizer in {folder} cannot be read", hint=_AGAIN) from error
    if problem:
        raise BaseNotLoadable(
            f"the tokenizer in {folder} {problem}",
            hint="take tokenizer and text encoder from one source",
        )
    return tokenizer


def _unfit_t5(tokenizer: Any, *, said: Mapping[str, Any], config: Any) -> str:
    """Say what keeps a T5 from reading what its tokenizer writes; empty: nothing.

    The library builds a tokenizer anew from the pieces in the file. Whatever else the file asks
    for, it passes over.
    """
    known = tokenizer.get_vocab()
    model = said["model"]
    moved = [one["content"] for one in said["added_tokens"] if known[one["content"]] != one["id"]]
    normalizer = said["normalizer"] or {"normalizers": []}
    steps = normalizer.get("normalizers", [normalizer])
    if model["type"] != "Unigram":
        return f"is a {str(model['type'])[:40]}, and T5's is a Unigram"
    if model["unk_id"] != tokenizer.unk_token_id or not all(map(_is_kept, steps)):
        return "changes texts in a way that is not T5's"
    if moved:
        return f"has {moved[0][:40]!r} in another place than it says: pieces of it are missing"
    ends = (tokenizer.pad_token_id, tokenizer.eos_token_id)
    if ends != (config.pad_token_id, config.eos_token_id):
        return f"pads and ends texts with {ends}, which is not how its encoder was trained"
    if (last := max(known.values())) >= config.vocab_size:
        return f"knows {last + 1} tokens, and its encoder {config.vocab_size}"
    return ""


def _is_kept(normalizer: Mapping[str, Any]) -> bool:
    """Say whether a step is taken by the library too, or changes only spaces, where texts end."""
    is_of_spaces = normalizer.get("pattern") == _SPACES and normalizer["content"] in (" ", "▁")
    return normalizer["type"] in ("Precompiled", "Strip") or is_of_spaces


def _refuse_oversized(folder: Path, *, words_max: int) -> None:
    """Refuse files that are larger than any tokenizer's, before a library builds one of them.

    Nothing in them is longer than the vocabulary is: a merge makes a word.
    """
    for file in sorted(folder.iterdir()):
        if file.is_dir() or file.suffix not in (".json", ".txt"):
            continue
        try:
            with open_regular(file) as opened:
                size, content = os.fstat(opened.fileno()).st_size, opened.read(FILE_BYTES_MAX)
        except OSError as error:
            raise unreadable(file, error) from error
        if size > FILE_BYTES_MAX:
            raise BaseNotLoadable(
                f"{file} has {size} bytes, and at most {FILE_BYTES_MAX} of a tokenizer's file "
                "are read",
                hint=_AGAIN,
            )
        lengths = _lengths(content, file=file)
        found = next((n for n in lengths if n > words_max + _LINES_BESIDE), 0)
        if found:
            raise BaseNotLoadable(
                f"{file} lists {found} words or merges, and its encoder knows {words_max} words",
                hint="take tokenizer and text encoder from one source",
            )


def _lengths(content: bytes, *, file: Path) -> Iterator[int]:
    """Yield the lengths of the lists and tables in a file's content, the outer ones first."""
    if file.suffix == ".txt":
        yield content.count(b"\n")
        return
    try:
        left = [json.loads(content)]
    except (ValueError, RecursionError) as error:
        raise BaseNotLoadable(
            f"the tokenizer in {file.parent} cannot be read: {file.name} is not JSON", hint=_AGAIN
        ) from error
    while left:
        value = left.pop()
        if isinstance(value, dict | list):
            yield len(value)
            left += value.values() if isinstance(value, dict) else value


def _refuse_unfit(tokenizer: Any, *, encoder: Any, folder: Path) -> None:
    config = encoder.config
    problem = ""
    ends = (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id)
    if None in ends:
        problem = "has no tokens for begin, end and padding"
    elif tokenizer.model_max_length != config.max_position_embeddings:
        problem = (
            f"writes {_count(tokenizer.model_max_length)} tokens, and its encoder reads "
            f"{config.max_position_embeddings}"
        )
    elif (last := max(tokenizer.get_vocab().values())) >= config.vocab_size:
        problem = f"knows {last + 1} tokens, and its encoder {config.vocab_size}"
    if problem:
        raise BaseNotLoadable(
            f"the tokenizer in {folder} {problem}",
            hint="take tokenizer and text encoder from one source",
        )


def _refuse_unmade_words(tokenizer: Any, *, model: Mapping[str, Any], folder: Path) -> None:
    """Refuse a list of merges that is shorter than the vocabulary that they make."""
    made = {"".join(_pair(merge)) for merge in model.get("merges", ())}
    special = set(tokenizer.get_added_vocab())
    unmade = [
        word
        for word in model.get("vocab", ())
        if len(word.removesuffix(_END_OF_WORD)) > 1 and word not in made and word not in special
    ]
    if unmade or not made:
        raise BaseNotLoadable(
            f"the tokenizer in {folder} has {len(made)} merges, which do not make "
            f"{len(unmade)} of its words",
            hint=_AGAIN,
        )


def _pair(merge: Any) -> list[str]:
    return merge.split(" ") if isinstance(merge, str) else list(merge)


def _count(number: Any) -> str:
    return "any number of" if isinstance(number, int) and number >= 10**6 else str(number)[:40]
