# SPDX-License-Identifier: Apache-2.0
"""What UIs write beside an adapter's file: trigger words and notes, read with care.

In: the path of an adapter. Out: words and notes, within bounds; nothing when there is no sidecar
or it is damaged. Knows the files of AUTOMATIC1111, of its Civitai helper and of ComfyUI's managers.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tabard.calls.local_files import first_bytes

SUFFIXES = (".civitai.info", ".metadata.json", ".json")
"""What the names of sidecars end in, after the name of the adapter's file without its own."""

_BYTES_MAX = 1 << 20
_WORDS_MAX = 32
_WORD_CHARS_MAX = 200
_NOTES_CHARS_MAX = 2_000
_WORD_KEYS = ("trainedWords", "trained_words", "activation text", "trigger_words", "triggerWords")
_NOTE_KEYS = ("notes", "description")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sidecar:
    """What people wrote about an adapter."""

    trigger_words: tuple[str, ...] = ()
    notes: str = ""


def read_sidecars(file: Path) -> Sidecar:
    """Return what the sidecars of a file say; the first that says something is believed."""
    documents = [one for suffix in SUFFIXES if (one := _read(file, suffix)) is not None]
    words = next((said for one in documents if (said := tuple(_words(one)))), ())
    notes = next((text for one in documents if (text := _notes(one))), "")
    return Sidecar(trigger_words=words[:_WORDS_MAX], notes=notes)


def _read(file: Path, suffix: str) -> Mapping[str, Any] | None:
    path = file.with_name(file.stem + suffix)
    try:
        content = b"" if path.is_symlink() else first_bytes(path, bytes_max=_BYTES_MAX)
        found = json.loads(content.decode("utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _words(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield trigger words; A1111 writes them as one text, with commas between."""
    inner = document.get("civitai")
    tables = (document, inner) if isinstance(inner, dict) else (document,)
    seen: set[str] = set()
    for table in tables:
        for key in _WORD_KEYS:
            said = table.get(key)
            for text in said if isinstance(said, list) else [said]:
                parts = text.split(",") if isinstance(text, str) else ()
                for word in map(str.strip, parts):
                    if 0 < len(word) <= _WORD_CHARS_MAX and word.isprintable() and word not in seen:
                        seen.add(word)
                        yield word


def _notes(document: Mapping[str, Any]) -> str:
    said = (document.get(key) for key in _NOTE_KEYS)
    found = next((text.strip() for text in said if isinstance(text, str) and text.strip()), "")
    return "".join(one for one in found if one.isprintable() or one in "\n\t")[:_NOTES_CHARS_MAX]
