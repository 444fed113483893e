# SPDX-License-Identifier: Apache-2.0
"""Words: what a release line is found by, and what people type to find it. Pure."""

from __future__ import annotations

import contextlib
import re
import sqlite3
import unicodedata
from dataclasses import dataclass

from tabard_registry.release.release import Adapter, Release

WORDS_MAX = 16
"""How many typed words are looked for; the rest is not read."""
WORD_CHARS_MAX = 200
"""How much of a typed word is looked for."""
SNIPPET_CHARS_MAX = 160
"""Longest snippet, without the dots at its ends."""
FIELD_CHARS_MAX = 256 << 10
"""How much of the words of one release line is searched, the newest first."""

_SNIPPET_CHARS_BEFORE = 40
_STEM_CHARS_MIN = 3
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """The words of a release, and of those of its line that say the same.

    Attributes:
        name: Namespace and name.
        title: What people call it.
        triggers: Trigger words.
        facts: Base family, kind, purpose, and the versions that say so, the newest first.
        notes: Notes.
        version: The newest of those versions.
    """

    name: str
    title: str
    triggers: str
    facts: str
    notes: str
    version: str


FIELDS = {
    "name": "name",
    "title": "title",
    "triggers": "trigger words",
    "notes": "notes",
    "facts": "base, kind or version",
}
"""The fields of a document that are searched, and what people call them; the telling ones first."""


def documents_of(line: Adapter) -> list[Document]:
    """Give the documents of a line, the newest release first; equal words are one document.

    A purged release is found by version alone.
    """
    same: dict[tuple[str, ...], list[str]] = {}
    for one in sorted(line.by_version.values(), key=_age):
        same.setdefault(_words_of(one), []).append(str(one.version))
    documents, left = [], FIELD_CHARS_MAX
    for (title, triggers, facts, notes), versions in same.items():
        texts = [storable(text[: max(0, left)]) for text in (title, triggers, notes)]
        left -= sum(map(len, texts))
        documents.append(
            Document(
                name=str(line.name),
                title=texts[0],
                triggers=texts[1],
                facts=storable(" ".join(filter(None, (facts, *versions)))[:FIELD_CHARS_MAX]),
                notes=texts[2],
                version=versions[0],
            )
        )
    return documents


def query_of(words: str) -> str:
    """Write typed words as an FTS5 query: each the beginning of a word; "" when there are none.

    Of a word the stem is looked for as well, so that `paintings` finds `painted`. Quoted, so that
    nothing in them is taken for syntax.
    """
    found = [word[:WORD_CHARS_MAX] for word in storable(words).split() if _has_letter(word)]
    return " AND ".join(
        "(" + " OR ".join('"' + form.replace('"', '""') + '" *' for form in _forms(word)) + ")"
        for word in found[:WORDS_MAX]
    )


def snippet_of(document: Document, *, words: str) -> tuple[str, tuple[str, ...]]:
    """Say in which fields typed words are, and cut out what is around one of them.

    That is shown from the field that tells most: notes before trigger words before titles.
    """
    beginnings = tuple(
        {_plain(form) for word in _WORD.findall(words) for form in _forms(word)} - {""}
    )
    places: dict[str, str] = {}
    for field in FIELDS:
        text = getattr(document, field)
        for found in _WORD.finditer(text) if beginnings else ():
            if _plain(found[0]).startswith(beginnings):
                places[field] = _around(text, found.start())
                break
    shown = next((one for one in ("notes", "triggers", "title", "facts") if one in places), "")
    return places.get(shown, ""), tuple(FIELDS[field] for field in places)


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


def _words_of(release: Release) -> tuple[str, ...]:
    if release.purged:
        return ("", "", "", "")
    facts = (release.base_family, release.kind, release.purpose)
    triggers = ", ".join(release.trigger_words)
    return (release.title, triggers, " ".join(filter(None, facts)), release.notes)


def _forms(word: str) -> tuple[str, ...]:
    """Give a word as it is looked for: as typed, and by its English stem.

    The stem is that of SQLite's own stemmer, by Porter. It writes `y` as `i`; both are looked for.
    """
    if len(word) <= _STEM_CHARS_MIN or not (word.isascii() and word.isalpha()):
        return (word,)
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE VIRTUAL TABLE stem USING fts5 (word, tokenize = 'porter ascii')")
        connection.execute("CREATE VIRTUAL TABLE found USING fts5vocab (stem, row)")
        connection.execute("INSERT INTO stem VALUES (?)", (word,))
        ((stem,),) = connection.execute("SELECT term FROM found")
    stems = (stem, f"{stem[:-1]}y") if stem.endswith("i") else (stem,)
    return tuple(dict.fromkeys((word, *(s for s in stems if len(s) >= _STEM_CHARS_MIN))))


def _has_letter(word: str) -> bool:
    # What FTS5's tokenizer takes for part of a word; a word of nothing else would match nothing.
    return any(unicodedata.category(char)[0] in "LN" for char in word[:WORD_CHARS_MAX])
