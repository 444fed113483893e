# SPDX-License-Identifier: Apache-2.0
"""`tabard choose` says the same as its page, asks in a terminal, and needs no server."""

import io
from dataclasses import fields as fields_of

import pytest

from tabard.cli.commands.health.choose import CHOICES, answer_to
from tabard.enums import KINDS, PURPOSES
from tabard.releases.release import judged_as
from tests.clients.cli.conftest import Tabard
from tests.root import ROOT


class Terminal(io.StringIO):
    """Somebody who types answers."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("typed", "found"),
    [("look\ny\n", "a word"), ("thing\ny\n", "a word"), ("look\nn\n", "a style"),
     ("thing\nn\n", "a subject")],
)  # fmt: skip
def test_two_questions_lead_to_one(
    tabard: Tabard, monkeypatch: pytest.MonkeyPatch, typed: str, found: str
) -> None:
    """What the base nearly draws needs a word; else a look is a style, and a thing a subject."""
    monkeypatch.setattr("sys.stdin", Terminal(typed))

    ran = tabard("choose")

    assert ran.code == 0
    assert found in ran.out and "tabard evaluate" in ran.out
    assert "Is it a look" in ran.err


@pytest.mark.parametrize("name", CHOICES)
def test_one_is_told_completely(tabard: Tabard, name: str) -> None:
    """By its name, and to the commands that ask of it what should be asked."""
    ran = tabard("choose", name, "--json")

    (document,) = ran.document.values()
    assert document["method"] == CHOICES[name].method
    assert any(command.startswith("tabard evaluate") for command in document["commands"])
    shown = tabard("choose", name).out
    assert all(command in shown for command in document["commands"])


def test_all_stand_side_by_side_where_nobody_answers(tabard: Tabard) -> None:
    """In a pipe nothing is asked."""
    ran = tabard("choose")

    assert (ran.code, ran.err) == (0, "")
    assert all(one.method in ran.out for one in CHOICES.values())
    assert tabard("choose", "--json").document.keys() == CHOICES.keys()


def test_wrong_word_is_refused(tabard: Tabard) -> None:
    """And the one that was meant is named."""
    ran = tabard("choose", "stile")

    assert ran.code == 2 and "style" in ran.err


def test_every_kind_and_purpose_is_one_of_them() -> None:
    """A release of the kind is judged as that even if nobody says its purpose."""
    assert {one.kind for one in CHOICES.values()} == set(KINDS)
    assert {one.purpose for one in CHOICES.values()} == set(PURPOSES)
    for one in CHOICES.values():
        assert judged_as(purpose="", kind=one.kind) == one.purpose
        assert f"--purpose {one.purpose}" in one.commands[0]


def test_answers_cover_all_of_them() -> None:
    """Each can be reached, and every answer leads somewhere."""
    both = (True, False)
    found = {answer_to(is_look=look, is_nearly_drawn=near) for look in both for near in both}

    assert found == set(CHOICES)


def test_page_says_the_same() -> None:
    """Every cell of the table, word by word."""
    page = (ROOT / "docs/choosing.md").read_text(encoding="utf-8")

    missing = [
        (name, one.name)
        for name, choice in CHOICES.items()
        for one in fields_of(choice)
        for text in (getattr(choice, one.name),)
        if not all(part in page for part in ([text] if isinstance(text, str) else text))
    ]
    assert missing == []
