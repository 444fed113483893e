# SPDX-License-Identifier: Apache-2.0
"""What a T5 reads of a prompt, and what CLIP reads of it beside one."""

import pytest

from tabard_server.engine.base.text_layout import FLUX, SD3
from tabard_server.engine.text.prompt_reader import PromptReader
from tabard_server.engine.text.t5_reader import JointReader, T5Reader
from tabard_server.engine_port.errors import PromptTooLong, RowNotPossible
from tabard_server.engine_port.prompt_style import PromptStyle
from tests.server.engine.text import tiny_t5
from tests.tiny_models import tiny_tokenizer

WEIGHTED = PromptStyle(syntax="a1111", windows_max=4)
CLIP_ROOM = 30
"""Tokens of the tiny CLIP's window."""


@pytest.fixture
def reader() -> T5Reader:
    return T5Reader(tiny_t5.tokenizer(), layout=SD3)


@pytest.fixture
def joint(reader: T5Reader) -> JointReader:
    return JointReader(PromptReader(tiny_tokenizer()), reader)


def test_text_is_read_as_the_tokenizer_reads_it(reader: T5Reader) -> None:
    """An end behind it, and padding up to the length of the pipeline."""
    (window,) = reader.windows(["a red <it> circle"])

    theirs = tiny_t5.tokenizer()("a red <it> circle", padding="max_length", max_length=256)
    assert list(window.ids) == theirs.input_ids
    assert set(window.weights) == {1.0}


def test_prompts_of_a_row_are_equally_long(reader: T5Reader) -> None:
    """One that wants two windows makes the other as long."""
    windows = reader.windows(["", "a " * 256], PromptStyle(windows_max=2))

    assert [len(one.ids) for one in windows] == [512, 512]


def test_weights_belong_to_their_tokens(reader: T5Reader) -> None:
    """Brackets weigh, and BREAK says nothing to who reads a text in one piece."""
    (window,) = reader.windows(["a (red:1.5) BREAK circle"], WEIGHTED)

    plain = tiny_t5.tokenizer()("a red circle").input_ids
    assert list(window.ids[: len(plain)]) == plain
    assert window.weights[:4] == (1.0, 1.5, 1.0, 1.0)


@pytest.mark.parametrize(
    ("layout", "style", "limit"),
    [
        (SD3, PromptStyle(), 255),
        (SD3, PromptStyle(windows_max=2), 511),
        (SD3, PromptStyle(windows_max=4), 511),
        (FLUX, PromptStyle(), 511),
        (FLUX, PromptStyle(windows_max=4), 511),
    ],
)
def test_bounds_are_those_of_the_pipelines(layout: object, style: PromptStyle, limit: int) -> None:
    """SD3.5 reads 256 tokens, and 512 where a request allows two windows; Flux 512."""
    assert layout in (SD3, FLUX)
    reader = T5Reader(tiny_t5.tokenizer(), layout=SD3 if layout is SD3 else FLUX)

    fitting, beyond = (reader.read("a " * count, style) for count in (limit, limit + 1))

    assert (fitting.token_count, fitting.token_limit, fitting.fits) == (limit, limit, True)
    assert (beyond.encoder, beyond.fits) == ("T5", False)


@pytest.mark.parametrize(("windows", "says"), [(1, "or allow it more windows"), (2, "prompt$")])
def test_long_prompt_says_what_to_do(reader: T5Reader, windows: int, says: str) -> None:
    """More windows are offered only where there are more."""
    with pytest.raises(PromptTooLong) as caught:
        reader.windows(["a " * 600], PromptStyle(windows_max=windows))

    assert "600 tokens of T5's" in str(caught.value)
    assert says.rstrip("$") in caught.value.hint
    assert caught.value.hint.endswith("windows") == (windows == 1)


def test_wrong_syntax_is_refused(joint: JointReader) -> None:
    """As any reader refuses it."""
    with pytest.raises(RowNotPossible):
        joint.read("a [cat:dog:0.5]", {}, WEIGHTED)


def test_both_read_a_short_prompt_whole(joint: JointReader) -> None:
    """The T5 bounds it, and nothing is left."""
    reading = joint.read("a <it> circle", {"<it>": 3})

    assert reading.encoder == "T5" and reading.fits
    beginning = reading.clip_beginning
    assert beginning is not None
    assert (beginning.token_count, beginning.token_total) == (5, 5)
    assert reading.used == {"<it>"}
    assert not beginning.behind


def test_clip_reads_the_beginning_of_a_long_one(joint: JointReader) -> None:
    """It is full to its last token, and says which taught words it does not come to."""
    prompt = f"a <one> {'star ' * CLIP_ROOM} <two> <one>"

    reading = joint.read(prompt, {"<one>": 2, "<two>": 1})

    beginning = reading.clip_beginning
    assert reading.fits and beginning is not None
    assert beginning.token_count == CLIP_ROOM
    assert beginning.token_total == 1 + 2 + CLIP_ROOM + 1 + 2
    assert reading.used == {"<one>"}
    assert beginning.behind == {"<two>"}


def test_word_that_does_not_fit_is_left_whole(joint: JointReader) -> None:
    """Vectors of one word are never separated."""
    reading = joint.read("star " * (CLIP_ROOM - 1) + "<two>", {"<two>": 2})

    assert reading.clip_beginning is not None
    assert reading.clip_beginning.token_count == CLIP_ROOM - 1
    assert reading.clip_beginning.behind == {"<two>"}
