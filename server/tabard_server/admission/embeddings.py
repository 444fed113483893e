# SPDX-License-Identifier: Apache-2.0
"""`embedding:NAME` in a prompt: which worn release it means, and the word that it stands for.

In: prompts taken apart, and a pinned stack. Out: the refs that they ask for besides, and the texts
with words in place of names. Resolves nothing itself.
"""

from collections.abc import Iterable, Iterator, Sequence

from tabard_registry import Release
from tabard_server.engine_port.drawing import Drawing
from tabard_server.errors import InvalidRequest, Violation
from tabard_server.jobs.job import SamplingWarning, Worn
from tabard_server.jobs.words.prompt_tags import NamedEmbedding, TaggedPrompt, write_words


def refs_named(tagged: Iterable[TaggedPrompt], *, asked: Iterable[str]) -> tuple[str, ...]:
    """Return the refs `namespace/name[@selector]` that texts name and nobody asked for, each once.

    Args:
        tagged: The prompts.
        asked: Names `namespace/name` and refs of adapters that the request wears anyway.
    """
    is_asked = frozenset(asked)
    named = (one.name for text in tagged for one in text.embeddings)
    refs = (name for name in named if "/" in name and name not in is_asked)
    return tuple(dict.fromkeys(refs))


def put_words(tagged: TaggedPrompt, *, worn: Sequence[Worn], field: str) -> str:
    """Return a text with the words of the embeddings that it names.

    Raises:
        InvalidRequest: A name means no worn textual inversion, or more than one word.
    """
    words, violations = [], []
    for one in tagged.embeddings:
        found = _words_of(one, worn)
        if len(found) == 1:
            words.append(found[0])
        else:
            violations.append(_not_one(one, found, field=field))
    if violations:
        raise InvalidRequest(tuple(violations))
    return write_words(tagged, words)


def unheeded(
    drawing: Drawing, *, worn: Iterable[Worn], away: frozenset[str]
) -> Iterator[SamplingWarning]:
    """Tell of embeddings that stand in a negative prompt alone, and that nobody looks at there.

    Args:
        drawing: What is drawn.
        worn: Its stack.
        away: Taught words that only its negative prompt uses.
    """
    if drawing.is_guided:
        return
    for one in worn:
        words = (tokens.token for tokens in one.release.tokens)
        if one.release.kind == "textual_inversion" and not away.isdisjoint(words):
            yield SamplingWarning(
                release=str(one.release),
                field="negative_prompt",
                message=f"guidance_scale is {drawing.guidance_scale:g}, and the negative prompt is "
                "read above 1 only: its word does nothing",
            )


def _words_of(named: NamedEmbedding, worn: Iterable[Worn]) -> tuple[str, ...]:
    """Find the words that a name can mean: a word itself, or those of an adapter of that name."""
    words: dict[str, None] = {}
    for one in worn:
        taught = dict.fromkeys(tokens.token for tokens in one.release.tokens)
        meant = [word for word in taught if named.name in {word, word.strip("<>")}]
        if not meant and named.name in _names_of(one.release, ref=one.ref):
            meant = list(taught)
        words.update(dict.fromkeys(meant))
    return tuple(words)


def _names_of(release: Release, *, ref: str) -> Iterator[str]:
    name = str(release.adapter)
    yield from (ref, name, name.partition("/")[2])


def _not_one(named: NamedEmbedding, found: Sequence[str], *, field: str) -> Violation:
    what = f"embedding:{named.name} at character {named.start + 1} of {field}"
    if found:
        return Violation(
            field=field,
            description=f"{what} can mean {', '.join(map(repr, found))}",
            reason="EMBEDDING_AMBIGUOUS",
            hint=f"write the word itself, like embedding:{found[0]}",
        )
    return Violation(
        field=field,
        description=f"{what} is no textual inversion that the request wears",
        reason="EMBEDDING_NOT_WORN",
        hint="name it in adapters, or write its whole name, like embedding:acme/plum",
    )
