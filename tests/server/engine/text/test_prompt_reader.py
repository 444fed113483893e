# SPDX-License-Identifier: Apache-2.0

import copy

import pytest

from tabard_server.engine.engine import Engine
from tabard_server.engine.text.prompt_reader import PromptReader
from tabard_server.engine_port.errors import PromptTooLong, RowNotPossible
from tabard_server.engine_port.prompt_style import PromptStyle

WEIGHTED = PromptStyle(syntax="a1111")
LONG = PromptStyle(windows_max=3)


@pytest.fixture
def reader(engine: Engine) -> PromptReader:
    return PromptReader(engine._base.text_parts[0].tokenizer)


def test_plain_prompt_reads_like_tokenizer(engine: Engine, reader: PromptReader) -> None:
    """Without placeholders the ids are the tokenizer's own, padding included."""
    tokenizer = engine._base.text_parts[0].tokenizer
    expected = tokenizer("a red circle", padding="max_length").input_ids

    (window,) = reader.windows("a red circle", {})
    assert list(window.ids) == expected
    assert set(window.weights) == {1.0}


def test_placeholder_counts_all_vectors(reader: PromptReader) -> None:
    """A token of three vectors takes three places."""
    plain = reader.read("a circle", {}).token_count

    reading = reader.read("a <plum> circle", {"<plum>": 3, "<pear>": 2})

    assert reading.token_count == plain + 3
    assert reading.used == {"<plum>"}


def test_longer_placeholder_wins(reader: PromptReader) -> None:
    """Of two placeholders that begin alike, the longer one is read."""
    reading = reader.read("a plummy circle", {"plum": 1, "plummy": 1})

    assert reading.used == {"plummy"}


def test_word_is_whole_or_anywhere(engine: Engine, reader: PromptReader) -> None:
    """`art` is not in `party`; anywhere it is, just where diffusers' added tokens are."""
    prompt, vectors = "a red circle at a party", {"art": (0, 1)}
    theirs = copy.deepcopy(engine._base.text_parts[0].tokenizer)
    theirs.add_tokens(["art"])
    added = theirs.convert_tokens_to_ids("art")
    expected = theirs(prompt, padding="max_length").input_ids

    (whole,) = reader.windows(prompt, vectors)
    (anywhere,) = reader.windows(prompt, vectors, PromptStyle(token_match="anywhere"))

    assert whole == reader.windows(prompt, {})[0]
    assert list(anywhere.ids) == [0 if token == added else token for token in expected]


def test_long_prompt_is_refused_whole(reader: PromptReader) -> None:
    """Nothing is cut off in silence."""
    with pytest.raises(PromptTooLong) as caught:
        reader.windows("red " * reader.length, {})

    assert caught.value.reason == "PROMPT_TOO_LONG"


def test_long_prompt_fills_windows(reader: PromptReader) -> None:
    """Where windows are allowed, each begins, ends and is padded like a short prompt."""
    words = "red " * (reader.length - 2) + "circle"

    first, second = reader.windows(words, {}, LONG)

    (alone,) = reader.windows("circle", {})
    assert (len(first.ids), first.ids[0], first.ids[-1]) == (
        reader.length,
        alone.ids[0],
        alone.ids[2],
    )
    assert second == alone
    assert reader.read(words, {}, LONG).window_count == 2
    assert reader.read(words, {}, LONG).fits


def test_placeholder_stays_whole(reader: PromptReader) -> None:
    """The vectors of a placeholder are never parted by the end of a window."""
    words = "red " * (reader.length - 3) + "<plum> circle"

    first, second = reader.windows(words, {"<plum>": (900, 3)}, LONG)

    assert 900 not in first.ids
    assert second.ids[1:4] == (900, 901, 902)


def test_token_longer_than_window_is_refused(reader: PromptReader) -> None:
    """A placeholder of more vectors than a window holds can never be encoded."""
    with pytest.raises(RowNotPossible) as caught:
        reader.windows("<plum>", {"<plum>": (900, reader.length)}, LONG)

    assert caught.value.reason == "TOKEN_TOO_LONG"


def test_weights_reach_their_tokens(reader: PromptReader) -> None:
    """Weights lie on the words they were written for, placeholders included."""
    (window,) = reader.windows("a (<plum>:1.5) [circle]", {"<plum>": (900, 2)}, WEIGHTED)

    assert window.weights[:6] == pytest.approx((1.0, 1.0, 1.5, 1.5, 1 / 1.1, 1.0))
    assert window.ids[2:4] == (900, 901)


def test_plain_syntax_reads_brackets_as_text(reader: PromptReader) -> None:
    """Without weighting, brackets are characters of the prompt, as in diffusers."""
    (plain,) = reader.windows("a (red:1.2) circle", {})
    (weighted,) = reader.windows("a (red:1.2) circle", {}, WEIGHTED)

    assert set(plain.weights) == {1.0}
    assert plain.ids != weighted.ids
