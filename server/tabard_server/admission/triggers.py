# SPDX-License-Identifier: Apache-2.0
"""`{trigger}` in a prompt, and words that are put in where a request asks for that.

In: a prompt and a pinned stack. Out: the prompt with the words that the manifests of the worn
releases say, and which those are. What is shown of a release may be amended; that does not count.
"""

import re
from collections.abc import Container, Iterable, Sequence

from tabard_registry import Release
from tabard_registry.release.sampling import NEGATIVE
from tabard_registry.release.words import Words
from tabard_server.errors import invalid
from tabard_server.jobs.job import PutIn, Worn

TRIGGER = "{trigger}"
"""What stands in a prompt for the trigger words of all that is worn."""
_SYNTAX = re.compile(r"([()\[\]\\])")


def put_triggers(
    text: str, *, away: str, worn: Sequence[Worn], is_auto: bool, syntax: str
) -> tuple[str, str, PutIn | None]:
    """Return both prompts with trigger words, and what was put in; None: nothing was asked for.

    Args:
        text: The prompt, without tags.
        away: The negative prompt; what it has is no word to put into the other, such as an
            embedding's there.
        worn: The stack.
        is_auto: Whether words that they lack are put in front where the prompt does not say
            `{trigger}`.
        syntax: How the prompts are read: what a bracket is there stays a letter of its word.

    Raises:
        InvalidRequest: It says `{trigger}`, and nothing that is worn has such a word.
    """
    is_said = TRIGGER in text
    if not (is_said or is_auto):
        return text, away, None
    negative = tuple(word for word in negatives_of(worn) if is_auto and not _has(away, word))
    words = tuple(word for word in triggers_of(worn) if not _has(away, word))
    if is_said and not words:
        raise invalid(
            "prompt",
            f"{TRIGGER} at character {text.index(TRIGGER) + 1} stands for the trigger words of "
            "what is worn, and there are none",
            reason="TRIGGER_NOT_WORN",
            hint="wear a release that has trigger words, or write the word itself",
        )
    if not is_said:
        words = tuple(word for word in words if not _has(text, word))
    put = PutIn(
        prompt=text,
        is_auto=is_auto,
        words=words,
        negative_prompt=away,
        negative_words=negative,
    )
    written = _written(words, syntax=syntax)
    prompt = text.replace(TRIGGER, written) if is_said else _in_front(written, text)
    return prompt, _in_front(_written(negative, syntax=syntax), away), put


def under_prompt(worn: Iterable[Worn], *, apart: Container[str]) -> tuple[Worn, ...]:
    """Return what is worn where the prompt is drawn.

    Args:
        worn: The stack.
        apart: Names of the regions that have a prompt of their own.
    """
    return tuple(one for one in worn if one.controls is None or one.controls.region not in apart)


def refuse_trigger(text: str, *, field: str) -> None:
    """Refuse `{trigger}` where it has no meaning.

    Raises:
        InvalidRequest: It stands there.
    """
    if TRIGGER in text:
        raise invalid(
            field,
            f"{field} has {TRIGGER}, which has no meaning there",
            reason="TAG_NOT_SUPPORTED",
            hint=f"move {TRIGGER} into the prompt, or write the word itself",
        )


def triggers_of(worn: Iterable[Worn]) -> tuple[str, ...]:
    """Return the words of the manifests, and the taught ones, in the order of the stack.

    Those that belong into the negative prompt are left out.
    """
    words: dict[str, None] = {}
    for one in worn:
        if one.release.sampling.prompt != NEGATIVE:
            words.update(
                _words_of(one, release=one.release if one.recipe is None else one.recipe.release)
            )
    return tuple(words)


def negatives_of(worn: Iterable[Worn]) -> tuple[str, ...]:
    """Return the words of releases whose authors made them for the negative prompt."""
    words: dict[str, None] = {}
    for one in worn:
        if one.release.sampling.prompt == NEGATIVE:
            words.update(_words_of(one, release=one.release))
    return tuple(words)


def _words_of(one: Worn, *, release: Release) -> dict[str, None]:
    published = release.published_words or Words.of(release)
    taught = (tokens.token for tokens in one.release.tokens)
    return dict.fromkeys((*published.trigger_words, *taught))


def _written(words: Iterable[str], *, syntax: str) -> str:
    return ", ".join(_SYNTAX.sub(r"\\\1", one) if syntax == "a1111" else one for one in words)


def _in_front(words: str, text: str) -> str:
    return f"{words}, {text}" if words and text else words or text


def _has(text: str, word: str) -> bool:
    """Say whether a prompt has a word already, as a word of its own."""
    whole = rf"(?<!\w){re.escape(word.strip())}(?!\w)"
    return re.search(whole, text, re.IGNORECASE) is not None
