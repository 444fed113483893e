# SPDX-License-Identifier: Apache-2.0
"""A CLIP tokenizer of our own: the byte alphabet plus merges that make each known word one token.

A list of words goes in; a `CLIPTokenizer`, and its files on disk, come out.
"""

from __future__ import annotations

import itertools
import json
from pathlib import Path

from transformers import CLIPTokenizer
from world import BACKGROUNDS, COLOURS, SHAPES, SIZES

TOKENS_MAX = 32
END_OF_WORD = "</w>"
START, END = "<|startoftext|>", "<|endoftext|>"

ADAPTER_WORDS = (
    "style",
    "neon",
    "watercolor",
    "crayon",
    "mascot",
    "sks",
    "plum",
    "in",
    "the",
    "of",
)
SPARE_WORDS = (
    *(
        "and",
        "with",
        "picture",
        "photo",
        "drawing",
        "painting",
        "sketch",
        "pixel",
        "comic",
        "paper",
    ),
    *("ink", "glow", "glowing", "dark", "light", "bright", "pale", "soft", "big", "tiny", "one"),
    *("two", "three", "left", "right", "top", "bottom", "above", "below", "under", "over", "next"),
    *("to", "happy", "sad", "cute", "face", "eyes", "smile", "creature", "toy", "robot", "cat"),
    *("dog", "fox", "owl", "tree", "flower", "sun", "moon", "sky", "sea", "night", "day", "gold"),
    *("silver", "teal", "lime", "olive", "navy", "maroon", "art", "line", "outline", "flat"),
    *("plain", "simple"),
)
PUNCTUATION = (",", ".")


def write_tokenizer(folder: Path) -> CLIPTokenizer:
    """Write vocab.json, merges.txt, tokenizer.json and the configs; return the tokenizer."""
    folder.mkdir(parents=True, exist_ok=True)
    merges = _make_merges(_words())
    alphabet = _byte_alphabet()
    tokens = alphabet + [letter + END_OF_WORD for letter in alphabet]
    tokens += [first + second for first, second in merges]
    vocabulary = {token: index for index, token in enumerate([*dict.fromkeys(tokens), START, END])}
    lines = ["#version: 0.2", *(f"{first} {second}" for first, second in merges)]
    vocabulary_text, merges_text = (
        json.dumps(vocabulary, ensure_ascii=False),
        "\n".join(lines) + "\n",
    )

    (folder / "vocab.json").write_text(vocabulary_text, encoding="utf-8")
    (folder / "merges.txt").write_text(merges_text, encoding="utf-8")
    tokenizer = CLIPTokenizer(
        vocab=vocabulary,
        merges=merges,
        bos_token=START,
        eos_token=END,
        unk_token=END,
        pad_token=END,
        model_max_length=TOKENS_MAX,
    )
    tokenizer.save_pretrained(folder)
    # Transformers 5 writes tokenizer.json alone; older tools want the two classic files.
    (folder / "vocab.json").write_text(vocabulary_text, encoding="utf-8")
    (folder / "merges.txt").write_text(merges_text, encoding="utf-8")
    return tokenizer


def _words() -> list[str]:
    scene_words = [*COLOURS, *BACKGROUNDS, *SHAPES, *SIZES, "a", "on", "an", "background"]
    return list(dict.fromkeys([*scene_words, *ADAPTER_WORDS, *SPARE_WORDS, *PUNCTUATION]))


def _make_merges(words: list[str]) -> list[tuple[str, str]]:
    """Add merges until each word is one token; a later merge never outranks an earlier one."""
    ranks: dict[tuple[str, str], int] = {}
    for word in words:
        while len(parts := _split(word, ranks)) > 1:
            ranks[(parts[0], parts[1])] = len(ranks)
    return list(ranks)


def _split(word: str, ranks: dict[tuple[str, str], int]) -> list[str]:
    parts = [*word[:-1], word[-1] + END_OF_WORD]
    while True:
        known = [pair for pair in itertools.pairwise(parts) if pair in ranks]
        if not known:
            return parts
        parts = _merge(parts, min(known, key=ranks.__getitem__))


def _merge(parts: list[str], pair: tuple[str, str]) -> list[str]:
    merged: list[str] = []
    index = 0
    while index < len(parts):
        if tuple(parts[index : index + 2]) == pair:
            merged.append(pair[0] + pair[1])
            index += 2
        else:
            merged.append(parts[index])
            index += 1
    return merged


def _byte_alphabet() -> list[str]:
    """The 256 printable stand-ins for bytes, in the order of CLIP's own vocabulary."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in printable]
    return [chr(byte) for byte in printable] + [chr(256 + index) for index in range(len(hidden))]
