# SPDX-License-Identifier: Apache-2.0
"""Text of others never steers a terminal, and stays what it was for those who read it."""

import re
import sys

import pytest

from tabard.cli.printable import is_shown, printable

STEERING = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2064\u2066-\u2069\ufeff\U000e0001"
    "\U000e0020-\U000e007f\ud800-\udfff]"
)
"""Written down by hand: C0, DEL, C1, what turns direction, what is not seen, what breaks lines."""


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("日本語 ü 😀 👩‍👩‍👧 نمی‌خواهم", "日本語 ü 😀 👩‍👩‍👧 نمی‌خواهم"),
        ("wide\u3000space, no\xa0break", "wide\u3000space, no\xa0break"),
        ("\x1b[2Jcleared", r"\x1b[2Jcleared"),
        ("\x9b31m", r"\x9b31m"),
        ("a\nb\tc\rd", r"a\nb\tc\rd"),
        ("\u202egpj.exe", r"\u202egpj.exe"),
        ("one\u2028two", r"one\u2028two"),
        ("\U000e0041", r"\U000e0041"),
        ("file\udc80", r"file\udc80"),
    ],
)
def test_what_steers_is_shown(text: str, shown: str) -> None:
    """As an escape that says which character it was; every script stays readable."""
    assert printable(text) == shown


def test_lines_stay_where_they_are_meant() -> None:
    """A layout with lines of its own keeps the breaks, and nothing else."""
    assert printable("a\r\nb\nc\td\x1b", lines=True) == "a\nb\nc  d\\x1b"


def test_no_character_is_forgotten() -> None:
    """Of all there are: what the list by hand names is never shown, and nothing is shown twice."""
    for char in map(chr, range(sys.maxunicode + 1)):
        if STEERING.match(char):
            assert not is_shown(char)
        if not is_shown(char):
            assert printable(char).isascii()
            assert printable(printable(char)) == printable(char)
