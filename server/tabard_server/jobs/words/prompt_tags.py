# SPDX-License-Identifier: Apache-2.0
"""`<lora:namespace/name:0.8>` and `embedding:NAME` in a prompt, as people write them elsewhere.

In: a prompt. Out: the prompt without its tags, the refs they hold, what looks like a tag and is
none, and where embeddings are named. Knows no registry: whether something exists is not its
business.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from tabard_server.engine_port.weights.strength import Controls
from tabard_server.jobs.words.controls import write_controls

_KINDS = "lora|lyco|lycoris|locon|loha|lokr|dora|oft|boft|ia3|glora|hypernet|hypernetwork"
_TAG = re.compile(rf"<\s*({_KINDS})\s*:([^<>]*)>", re.IGNORECASE)
# Brackets and colons of East Asian keyboards look the same, and web pages escape the bracket.
_BEGUN = re.compile(
    rf"(?:<|\uff1c|&lt;)\s*(?:{_KINDS})(?:\s*[:\uff1a=;|/\\]|\s+\S)[^<>\uff1e]*[>\uff1e]?",
    re.IGNORECASE,
)
# A weight of A1111's syntax may stand behind a name, so that a colon belongs to a digest only.
_EMBEDDING = re.compile(
    r"(?<!\w)embedding:"
    r"(<[^<>\s]+>|(?:[\w./+-]|\\(?=\w))+(?:@(?:sha256:[0-9a-f]+|[\^~]?[\w.+@-]*))?)"
)
_SUFFIXES = (".safetensors", ".pt", ".bin")


@dataclass(frozen=True, slots=True, kw_only=True)
class OddTag:
    """What looks like an adapter tag and cannot be one.

    Attributes:
        text: As it is written.
        place: Its first character, counted from 1.
        is_whole: Whether it is a tag of a kind that is not served; else it is not written as one.
    """

    text: str
    place: int
    is_whole: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedEmbedding:
    """A textual inversion named as ComfyUI does.

    Attributes:
        name: What stands behind `embedding:`, without the suffix of a file.
        start: Its first character in the text without tags.
        end: The first character behind it.
    """

    name: str
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TaggedPrompt:
    """A prompt taken apart.

    Attributes:
        text: The prompt without tags, outer blanks removed.
        refs: What the `lora` tags hold, in order: a ref, and what stands behind it.
        places: Characters of the prompt before each of them.
        odd: Tags that are not served, or not well written.
        embeddings: Where the text names textual inversions.
    """

    text: str
    refs: tuple[str, ...]
    places: tuple[int, ...]
    odd: tuple[OddTag, ...]
    embeddings: tuple[NamedEmbedding, ...]


def read_tags(prompt: str) -> TaggedPrompt:
    """Take the tags out of a prompt. A `lora` tag without a weight has the weight 1."""
    found = list(_TAG.finditer(prompt))
    text = _TAG.sub("", prompt).strip()
    # Blanks of equal length keep every other character in its place.
    rest = _TAG.sub(lambda match: " " * len(match[0]), prompt)
    worn = [match for match in found if match[1].lower() == "lora"]
    odd = [_odd(match, is_whole=True) for match in found if match not in worn]
    odd += [_odd(match, is_whole=False) for match in _BEGUN.finditer(rest)]
    return TaggedPrompt(
        text=text,
        refs=tuple(match[2].strip() for match in worn),
        places=tuple(match.start(2) + _blanks_before(match[2]) for match in worn),
        odd=tuple(sorted(odd, key=lambda one: one.place)),
        embeddings=tuple(map(_embedding, _EMBEDDING.finditer(text))),
    )


def write_words(tagged: TaggedPrompt, words: Sequence[str]) -> str:
    """Return the text with a word in the place of each embedding that it names."""
    text = tagged.text
    for one, word in reversed(list(zip(tagged.embeddings, words, strict=True))):
        text = text[: one.start] + word + text[one.end :]
    return text


def write_tag(name: str, *, weight: float, controls: Controls | None = None) -> str:
    """Write an adapter as A1111 shows it in image metadata, its controls behind the weight."""
    behind = "" if controls is None else f":{write_controls(controls)}"
    return f"<lora:{name}:{weight:g}{behind}>"


def _blanks_before(text: str) -> int:
    return len(text) - len(text.lstrip())


def _odd(match: re.Match[str], *, is_whole: bool) -> OddTag:
    return OddTag(text=match[0], place=match.start() + 1, is_whole=is_whole)


def _embedding(match: re.Match[str]) -> NamedEmbedding:
    # A full stop or a dash at the end belongs to the sentence.
    written = match[1].rstrip(".-")
    suffix = next((one for one in _SUFFIXES if written.endswith(one)), "")
    return NamedEmbedding(
        name=written.removesuffix(suffix),
        start=match.start(),
        end=match.start(1) + len(written),
    )
