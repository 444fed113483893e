# SPDX-License-Identifier: Apache-2.0
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabard_server.engine.text.prompt_syntax import read_plain, read_weighted
from tabard_server.engine_port.errors import RowNotPossible


def _read(prompt: str, *placeholders: str) -> list[tuple[str, float]]:
    return [(piece.text, round(piece.weight, 6)) for piece in read_weighted(prompt, placeholders)]


@pytest.mark.parametrize(
    ("prompt", "pieces"),
    [
        ("a red circle", [("a red circle", 1.0)]),
        ("a (red) circle", [("a ", 1.0), ("red", 1.1), (" circle", 1.0)]),
        ("a ((red)) circle", [("a ", 1.0), ("red", 1.21), (" circle", 1.0)]),
        ("a (red:1.5) circle", [("a ", 1.0), ("red", 1.5), (" circle", 1.0)]),
        ("a [red] circle", [("a ", 1.0), ("red", 0.909091), (" circle", 1.0)]),
        ("((a) b:2)", [("a", 2.2), (" b", 2.0)]),
        ("(a [b]:.5)", [("a ", 0.5), ("b", 0.454545)]),
        ("(a: -1 )", [("a", -1.0)]),
        (r"a \(b\) \[c\]", [("a (b) [c]", 1.0)]),
        ("16:9) a]", [("16:9) a]", 1.0)]),
        ("a (b", [("a ", 1.0), ("b", 1.1)]),
        ("a [b", [("a ", 1.0), ("b", 0.909091)]),
        ("(a:b)", [("a:b", 1.1)]),
        ("(a [b) c] d", [("a ", 1.1), ("b", 1.0), (" c", 0.909091), (" d", 1.0)]),
        ("[a (b] c) d", [("a ", 0.909091), ("b", 1.0), (" c", 1.1), (" d", 1.0)]),
        ("(a [b", [("a ", 1.1), ("b", 1.0)]),
        (r"a\b \\ c", [("ab \\ c", 1.0)]),
        ("a\\", [("a", 1.0)]),
        ("a BREAK b", [("a", 1.0), ("", 1.0), ("b", 1.0)]),
        ("", []),
    ],
)
def test_weights_are_read_as_people_write_them(
    prompt: str, pieces: list[tuple[str, float]]
) -> None:
    """Round brackets strengthen, square ones weaken, a number says how much."""
    assert _read(prompt) == pieces


def test_placeholders_stand_alone_in_brackets() -> None:
    """A placeholder keeps its weight and its own characters, brackets and colons included."""
    assert _read("a (<a:b>:1.2) (x) c", "<a:b>", "(x)") == [
        ("a ", 1.0),
        ("<a:b>", 1.2),
        (" ", 1.0),
        ("(x)", 1.0),
        (" c", 1.0),
    ]


@pytest.mark.parametrize(
    ("prompt", "reason"),
    [
        ("a [red:blue:0.5] circle", "PROMPT_SYNTAX_NOT_SERVED"),
        ("a [red:0.5] circle", "PROMPT_SYNTAX_NOT_SERVED"),
        ("a [red|blue] circle", "PROMPT_SYNTAX_NOT_SERVED"),
        ("a circle AND a star", "PROMPT_SYNTAX_NOT_SERVED"),
        ("(a:11)", "PROMPT_SYNTAX"),
        ("(" * 51 + "a", "PROMPT_SYNTAX"),
    ],
)
def test_schedules_and_excess_are_refused(prompt: str, reason: str) -> None:
    """What would be misread is refused by name; so is what is beyond the bounds."""
    with pytest.raises(RowNotPossible) as caught:
        read_weighted(prompt, ())

    assert caught.value.reason == reason


@given(st.text(alphabet="ab ()[]:\\1.,|", max_size=40))
def test_any_text_is_read_or_refused(prompt: str) -> None:
    """No text makes the reader fail in another way, and every weight is a number within bounds."""
    try:
        pieces = read_weighted(prompt, ["b"])
    except RowNotPossible:
        return

    assert all(abs(piece.weight) <= 10 for piece in pieces)


@given(st.text(alphabet="ab ,.", max_size=40))
def test_text_without_marks_is_plain(prompt: str) -> None:
    """Without brackets both syntaxes read the same."""
    assert read_weighted(prompt, ["b"]) == read_plain(prompt, ["b"])


@pytest.mark.parametrize(
    ("token", "prompt", "whole"),
    [
        ("art", "a red circle at a party", []),
        ("art", "art, (art:1.2) art-deco party", ["art", "art", "art"]),
        ("art", "art2 2art _art", []),
        ("<plum>", "a<plum>b", ["<plum>"]),
        ("my-style", "my-styles my-style", ["my-style"]),
        ("cafe", "cafe\u0301 cafe", ["cafe"]),
    ],
)
def test_words_count_as_whole_words(token: str, prompt: str, whole: list[str]) -> None:
    """A taught word is not found in longer ones, unless somebody says so, as diffusers does."""
    pieces = [piece.text for piece in read_plain(prompt, [token])]
    anywhere = [piece.text for piece in read_plain(prompt, [token], match="anywhere")]

    assert [text for text in pieces if text == token] == whole
    assert anywhere.count(token) == prompt.count(token)
    assert "".join(pieces) == "".join(anywhere) == prompt
