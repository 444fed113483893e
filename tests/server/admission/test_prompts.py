# SPDX-License-Identifier: Apache-2.0
"""How the prompts of a request are read, and what is wrong with them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tabard_registry import TokenVectors
from tabard_server.admission.prompts import PromptChecker, ReadWords
from tabard_server.engine_port.drawing import WantedDrawing
from tabard_server.engine_port.prompt_style import ClipBeginning, PromptReading, PromptStyle
from tabard_server.engine_port.regions import Region
from tabard_server.engine_port.work import Work
from tabard_server.errors import Violation
from tabard_server.jobs.job import Worn
from tabard_server.limits import Limits
from tabard_server.settings import Defaults
from tests.server.drawings import drawing
from tests.server.fakes import FakePromptReader
from tests.server.releases import release

LONG = "word " * 40


def checker(
    *, defaults: Defaults | None = None, work: Work | None = None, **limits: Any
) -> PromptChecker:
    return PromptChecker(
        reader=FakePromptReader(),
        limits=Limits(**limits),
        defaults=defaults or Defaults(),
        work=lambda: work or Work(),
    )


def style_of(prompts: PromptChecker, **said: Any) -> PromptStyle:
    style, violations = prompts.style_of(WantedDrawing(prompt="x", **said))
    assert not violations
    return style


def judge(prompt: str, style: PromptStyle, *, negative_prompt: str = "") -> Violation:
    """Return the one thing that is wrong with two prompts."""
    read = drawing(prompt=prompt, negative_prompt=negative_prompt, style=style)
    (violation,) = checker().read_words(read, worn=()).violations
    assert violation.hint
    return violation


@pytest.mark.parametrize(
    ("said", "syntax", "windows"),
    [
        ({}, "plain", 1),
        ({"prompt_syntax": "a1111"}, "a1111", 3),
        ({"prompt_windows_max": 2}, "plain", 2),
        ({"prompt_syntax": "a1111", "prompt_windows_max": 1}, "a1111", 1),
    ],
)
def test_windows_follow_the_syntax(said: dict[str, Any], syntax: str, windows: int) -> None:
    """Plain prompts get what the base was trained with, A1111's what its users expect."""
    style = style_of(checker(prompt_windows_max=3), **said)

    assert (style.syntax, style.windows_max) == (syntax, windows)


def test_server_has_a_default_syntax() -> None:
    """A request that says nothing is read as the settings say; one that says so, as it says."""
    prompts = checker(defaults=Defaults(prompt_syntax="a1111", token_match="anywhere"))

    assert (style_of(prompts).syntax, style_of(prompts).token_match) == ("a1111", "anywhere")
    said = style_of(prompts, prompt_syntax="plain", token_match="whole")
    assert (said.syntax, said.token_match) == ("plain", "whole")


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"prompt_syntax": "7"}, "PROMPT_SYNTAX_UNKNOWN"),
        ({"token_match": "7"}, "TOKEN_MATCH_UNKNOWN"),
        ({"prompt_windows_max": 0}, "PROMPT_WINDOWS_OUT_OF_RANGE"),
        ({"prompt_windows_max": 5}, "PROMPT_WINDOWS_OUT_OF_RANGE"),
    ],
)
def test_wrong_style_is_named(said: dict[str, Any], reason: str) -> None:
    """A syntax newer than this server and a window too many are refused by their field."""
    _, (violation,) = checker().style_of(WantedDrawing(prompt="x", **said))

    assert (violation.field, violation.reason) == (next(iter(said)), reason)


def test_long_prompt_is_told_what_it_needs() -> None:
    """The advice is the value that would do."""
    violation = judge(LONG, PromptStyle())

    assert (violation.field, violation.reason) == ("prompt", "PROMPT_TOO_LONG")
    assert "40 tokens" in violation.description
    assert "prompt_windows_max=2" in violation.hint


def test_endless_prompt_is_told_to_shorten() -> None:
    """Where no number of windows would do, none is advised."""
    violation = judge(LONG * 4, PromptStyle(windows_max=4))

    assert "shorten it to 120 tokens" in violation.hint
    assert "prompt_windows_max" not in violation.hint
    fewer = judge(LONG * 4, PromptStyle())
    assert "shorten it to 120 tokens, and allow it windows: prompt_windows_max=4" in fewer.hint


def test_windows_make_room() -> None:
    """With room for it the same prompt is right, and the windows it fills are counted."""
    read = drawing(prompt=LONG, negative_prompt="x", style=PromptStyle(windows_max=3))

    found = checker().read_words(read, worn=())

    assert (found.windows, found.violations) == (2, [])


@pytest.mark.parametrize("field", ["prompt", "negative_prompt"])
@pytest.mark.parametrize(
    ("text", "reason"),
    [("a [red|blue] star", "PROMPT_SYNTAX_NOT_SERVED"), ("(star:99)", "PROMPT_SYNTAX")],
)
def test_syntax_errors_name_their_field(field: str, text: str, reason: str) -> None:
    """What A1111 would read in another way than we do is refused at the door."""
    texts = {"prompt": "x", "negative_prompt": "", field: text}

    violation = judge(
        texts["prompt"],
        PromptStyle(syntax="a1111"),
        negative_prompt=texts["negative_prompt"],
    )

    assert (violation.field, violation.reason) == (field, reason)


@pytest.mark.parametrize("prompt", ["", "  "])
def test_empty_prompt_is_a_prompt(prompt: str) -> None:
    """Nothing in particular is drawn, as in diffusers and A1111."""
    assert checker().check_text(WantedDrawing(prompt=prompt)) == []


@pytest.mark.parametrize(
    ("kind", "reasons"), [("textual_inversion", ["TOKEN_NOT_USED"]), ("lora", [])]
)
def test_only_words_alone_must_be_used(kind: str, reasons: list[str]) -> None:
    """An embedding that no prompt names draws nothing; layers act without the word beside them."""
    tokens = (TokenVectors(token="<plum>", component="text_encoder", count=2),)
    worn = Worn(ref="r", release=replace(release("acme/ink"), kind=kind, tokens=tokens), weight=1.0)

    unused = checker().read_words(drawing(prompt="a circle"), worn=(worn,))
    used = checker().read_words(drawing(prompt="a <plum> circle"), worn=(worn,))
    away = checker().read_words(drawing(prompt="a", negative_prompt="<plum>"), worn=(worn,))

    assert [one.reason for one in unused.violations] == reasons
    assert (used.violations, used.away) == ([], frozenset())
    assert (away.violations, away.away) == ([], {"<plum>"})
    lacking = checker().read_words(drawing(prompt="a circle"), worn=(worn,), may_lack_words=True)
    assert (lacking.windows, lacking.violations) == (1, [])


def test_word_of_a_region_is_not_only_kept_away_from() -> None:
    """A region that has a prompt of its own draws it, whatever the prompt of the picture says."""
    tokens = (TokenVectors(token="<plum>", component="text_encoder", count=2),)
    taught = replace(release("acme/ink"), kind="textual_inversion", tokens=tokens)
    worn = Worn(ref="r", release=taught, weight=1.0)
    region = Region(
        name="left",
        shares=np.ones((1, 1)),
        prompt="a <plum>",
        boxes="0,0,0.5,1",
        has_own_prompt=True,
    )
    asked = drawing(prompt="a", negative_prompt="<plum>")

    drawn = checker().read_words(replace(asked, regions=(region,)), worn=(worn,))

    assert (drawn.violations, drawn.away) == ([], frozenset())


@pytest.mark.parametrize(("guidance_scale", "is_refused"), [(5.0, True), (1.0, False)])
def test_words_are_encoded_in_time(guidance_scale: float, is_refused: bool) -> None:
    """Windows of both prompts are one call; one window each is always encoded."""
    slow = checker(work=Work(text_window_seconds=1.0))
    style = PromptStyle(syntax="plain", windows_max=3)
    long = drawing(prompt="word " * 80, style=style, guidance_scale=guidance_scale)
    short = drawing(prompt="word", style=style)

    read = slow.read_words(long, worn=())

    assert read.windows == 3
    assert [one.reason for one in read.violations] == ["PROMPT_TOO_SLOW"] * is_refused
    assert all("2 windows" in one.hint and "6.0 s" in one.description for one in read.violations)
    always = checker(work=Work(text_window_seconds=100.0))
    assert not always.read_words(short, worn=()).violations


class _T5Reader:
    """Counts words as a T5 of two windows would, beside a CLIP that reads three of them."""

    def read(self, prompt: str, tokens: Mapping[str, int], style: PromptStyle) -> PromptReading:
        words = prompt.split()
        used = frozenset(words[:3]) & frozenset(tokens)
        return PromptReading(
            token_count=len(words),
            token_limit=30 * min(style.windows_max, 2),
            used=used,
            window_count=max(1, -(-len(words) // 30)),
            window_limit=min(style.windows_max, 2),
            encoder="T5",
            windows_max=2,
            clip_beginning=ClipBeginning(
                token_count=min(3, len(words)),
                token_total=len(words),
                used=used,
                behind=(frozenset(words[3:]) & frozenset(tokens)) - used,
            ),
        )


def read_by_t5(prompt: str, *, windows: int = 1, token: str = "") -> ReadWords:
    """Read a prompt where a T5 reads the whole and CLIP the beginning."""
    checker = PromptChecker(reader=_T5Reader(), limits=Limits(), defaults=Defaults())
    vectors = TokenVectors(component="text_encoder", token=token, count=1)
    taught = release(kind="textual_inversion", tokens=(vectors,)) if token else None
    worn = () if taught is None else (Worn(ref="x", release=taught, weight=1.0),)
    style = PromptStyle(windows_max=windows)
    return checker.read_words(drawing(prompt=prompt, negative_prompt="", style=style), worn=worn)


def test_prompt_beyond_t5_names_it() -> None:
    """More windows are advised only as far as the T5 reads them, whatever the settings allow."""
    longer = read_by_t5("word " * 40).violations[0]
    endless = read_by_t5("word " * 70, windows=2).violations[0]

    assert "40 tokens as T5 counts them, in 2 windows of 30" in longer.description
    assert "prompt_windows_max=2" in longer.hint
    assert "shorten it to 60 tokens;" in endless.hint


def test_what_clip_leaves_is_told() -> None:
    """It is drawn, for the T5 reads it, and the answer says so; a short prompt is not spoken of."""
    (warning,) = read_by_t5("one two three four").warnings

    assert (warning.release, warning.field) == ("", "prompt")
    assert warning.message.startswith("CLIP reads the first 3 of its 4 tokens")
    assert read_by_t5("one two three").warnings == ()


def test_taught_word_behind_clips_end_is_refused() -> None:
    """Only CLIP knows it, and does not come to it."""
    near, far = (read_by_t5(text, token="<x>") for text in ("a <x> b c", "a b c <x>"))

    assert near.violations == []
    (violation,) = far.violations
    assert violation.reason == "TOKEN_NOT_USED"
    assert "reads 3 tokens" in violation.description
    assert "nearer to the beginning" in violation.hint
