# SPDX-License-Identifier: Apache-2.0
"""Words: what a release line is found by, and what people type to find it. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tabard_registry.release.release import Adapter, Release

WORDS_MAX = 16
"""How many typed words are looked for; the rest is not read."""
WORD_CHARS_MAX = 200
"""How much of a typed word is looked for."""
SNIPPET_CHARS_MAX = 160
"""Longest snippet, without the dots at its ends."""
FIELD_CHARS_MAX = 256 << 10
"""How much of the notes of one release line is searched, the newest first; so for other fields."""

_SNIPPET_CHARS_BEFORE = 40
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """The words of one release line.

    Attributes:
        name: Namespace and name.
        titles: What people call its releases.
        triggers: Trigger words of its releases.
        facts: Base families, kinds, purposes and versions.
        notes: Notes of its releases, the newest first.
    """

    name: str
    titles: str
    triggers: str
    facts: str
    notes: str


def document_of(line: Adapter) -> Document:
    """Collect the words of a line, each text once. A purged release is found by version alone."""
    newest_first = sorted(line.by_version.values(), key=_age)
    kept = [release for release in newest_first if not release.purged]
    versions = (str(release.version) for release in newest_first)
    facts = (text for one in kept for text in (one.base_family, one.kind, one.purpose))
    return Document(
        name=str(line.name),
        titles=_joined((one.title for one in kept), separator=", "),
        triggers=_joined((word for one in kept for word in one.trigger_words), separator=", "),
        facts=_joined((*facts, *versions), separator=" "),
        notes=_joined((one.notes for one in kept), separator="\n"),
    )


def query_of(words: str) -> str:
    """Write typed words as an FTS5 query: each the beginning of a word; "" when there are none.

    Quoted, so that nothing in them is taken for syntax.
    """
    found = [word[:WORD_CHARS_MAX] for word in storable(words).split() if _has_letter(word)]
    return " ".join('"' + word.replace('"', '""') + '" *' for word in found[:WORDS_MAX])


def snippet_of(document: Document, *, words: str) -> str:
    """Cut out what is around the first place that begins with a typed word, or the beginning."""
    beginnings = tuple(filter(None, map(_plain, _WORD.findall(words))))
    texts = [
        text
        for text in (document.notes, document.titles, document.triggers, document.facts)
        if text
    ]
    for text in texts:
        for found in _WORD.finditer(text):
            if _plain(found[0]).startswith(beginnings):
                return _around(text, found.start())
    return _around(texts[0], 0) if texts else ""


def storable(text: str) -> str:
    """Replace what SQLite cannot keep: lone surrogates, and the zero that ends its texts."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", " ")


def _around(text: str, place: int) -> str:
    begin = max(0, place - _SNIPPET_CHARS_BEFORE)
    if begin:
        begin = max(begin, text.find(" ", begin, place) + 1)
    end = begin + SNIPPET_CHARS_MAX
    cut = " ".join(text[begin:end].split())
    return f"{'…' * (begin > 0)}{cut}{'…' * (end < len(text))}"


def _plain(word: str) -> str:
    if word.isascii():
        return word.lower()
    parts = unicodedata.normalize("NFD", word)
    return "".join(part for part in parts if not unicodedata.combining(part)).casefold()


def _age(release: Release) -> tuple[int, str]:
    return (-release.seq, str(release.version))


def _joined(texts: Iterable[str], *, separator: str) -> str:
    return storable(separator.join(_some(dict.fromkeys(filter(None, texts)))))


def _some(texts: Iterable[str]) -> Iterator[str]:
    left = FIELD_CHARS_MAX
    for text in texts:
        if left <= 0:
            return
        yield text[:left]
        left -= len(text)


def _has_letter(word: str) -> bool:
    # What FTS5's tokenizer takes for part of a word; a word of nothing else would match nothing.
    return any(unicodedata.category(char)[0] in "LN" for char in word[:WORD_CHARS_MAX])
