# SPDX-License-Identifier: Apache-2.0
"""Answers become lines: styled by us alone, in columns that fit, whatever the letters."""

import pytest

from tabard.cli.layout import Answer, Group, Table, Text, lines_of, width_of


def lines(answer: Answer, columns: int = 40) -> list[str]:
    """Lay an answer out."""
    return list(lines_of(answer, columns=columns))


def test_styles_stay_beside_what_is_escaped() -> None:
    """Only our own styles are commands of a terminal."""
    found = lines(Text.assemble(("a\x1bb", "red"), "c\nd"))

    assert found == ["\x1b[31ma\\x1bb\x1b[0mc\\nd"]


def test_styles_may_be_together() -> None:
    """Bold and a colour."""
    assert lines(Text("done", "bold green")) == ["\x1b[32m\x1b[1mdone\x1b[0m"]


def test_groups_follow_each_other() -> None:
    """However deep."""
    assert lines(Group("a", Group(Text("b"), "c"))) == ["a", "b", "c"]


def test_columns_stand_below_each_other() -> None:
    """Two blanks between them, none behind the last."""
    table = Table([("a", "1"), ("long", "22")], heading=("name", "n"))

    heading, *rows = lines(table)

    assert "name" in heading
    assert rows == ["a     1", "long  22"]


def test_wide_cells_are_folded_between_words() -> None:
    """The widest column gives way, and no word is lost."""
    table = Table([("key", "one two three four five six seven eight nine")], heading=("k", "v"))

    _heading, *rows = lines(table, columns=24)

    assert all(width_of(row) <= 24 for row in rows)
    assert " ".join(" ".join(rows).split()) == "key one two three four five six seven eight nine"


def test_columns_of_one_width_stay_so() -> None:
    """None of them is squeezed for the others."""
    cell = "some words of a long cell " * 6

    heading, *rows = lines(Table([("name", cell, cell, cell)], heading=tuple("wxyz")), columns=80)

    starts = [at for at in range(80) if rows[0].startswith("some words", at)]
    assert starts == [6, 31, 56]
    assert max(map(len, rows)) <= 80 and len(heading) > 56


def test_long_words_are_cut_where_they_must() -> None:
    """A digest folds, and stays complete."""
    rows = lines(Table([("d", "x" * 50)], heading=("a", "b")), columns=20)[1:]

    assert "".join("".join(rows).split()) == "d" + "x" * 50


def test_tables_that_never_fit_end() -> None:
    """Many columns on a narrow terminal are too wide, and that is all."""
    assert len(lines(Table([tuple("abcdefgh" * 3)], heading=tuple("abcdefgh" * 3)), columns=5)) == 2


@pytest.mark.parametrize(
    ("text", "width"), [("abc", 3), ("水彩", 4), ("é", 1), ("e\u0301", 1), ("", 0)]
)
def test_letters_have_their_width(text: str, width: int) -> None:
    """Two columns for a wide letter, none for an accent."""
    assert width_of(text) == width


def test_empty_table_is_no_line() -> None:
    """Nothing to show."""
    assert lines(Table([])) == []
