# SPDX-License-Identifier: Apache-2.0
"""A command speaks: one answer on stdout, the rest on stderr, errors with what to do."""

import json
from dataclasses import dataclass
from typing import Any

import pytest

from tabard.cli.layout import Group, Text
from tabard.cli.output import Output, fields, short, show_error, size, table, to_json
from tabard.cli.printable import is_shown
from tabard.errors import FieldViolation, InvalidArgument
from tests.clients.cli.conftest import Tabard
from tests.clients.fakes.server import FakeServer
from tests.clients.fakes.state import FakeStatus


@dataclass(frozen=True)
class Value:
    """Something to answer with."""

    name: str
    parts: tuple[Any, ...] = ()


def test_answer_is_text_or_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    """Never both, and `say` never on stdout."""
    for is_json in (False, True):
        output = Output(is_json=is_json)
        output.say("on the way")
        output.answer(Value("é", (Value("inner"),)), "done")

    captured = capsys.readouterr()
    text, _, document = captured.out.partition("\n")
    assert text == "done"
    assert json.loads(document) == {"name": "é", "parts": [{"name": "inner", "parts": []}]}
    assert captured.err == "on the way\n"


def test_endless_answers_are_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """A document each, without a line break in it."""
    output = Output(is_json=True)

    output.answer_line(Value("a"), "a")
    output.answer_line({"b": Value("c")}, "b")

    first, second = capsys.readouterr().out.splitlines()
    assert json.loads(first)["name"] == "a"
    assert json.loads(second)["b"]["name"] == "c"


def test_long_sentence_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """So that it can be searched; nothing in it is markup."""
    Output(is_json=False).answer({}, "[bold] word " * 40)

    assert capsys.readouterr().out.rstrip("\n") == "[bold] word " * 40


HOSTILE = "[red]a\x1b[2J\nb\u202e\x9b\u2028\x7f"
SHOWN = r"[red]a\x1b[2J\nb\u202e\x9b\u2028\x7f"


def test_no_line_steers_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever a line is made of, it is one line, and nothing in it is a command or markup."""
    output = Output(is_json=False)
    lines = (HOSTILE, Text(HOSTILE), Text.assemble(("lead: ", "bold"), HOSTILE, "."))

    output.answer({}, *lines, Group(HOSTILE, Group(Text(HOSTILE))))
    output.say(HOSTILE)
    output.answer_line({}, HOSTILE)

    told = capsys.readouterr()
    assert told.out.splitlines() == [SHOWN, SHOWN, f"lead: {SHOWN}.", SHOWN, SHOWN, SHOWN]
    assert told.err == SHOWN + "\n"


def test_cells_keep_lines_in_their_column(capsys: pytest.CaptureFixture[str]) -> None:
    """Notes of several lines stay so, beside what they belong to; nothing else passes."""
    output = Output(is_json=False)

    output.answer({}, fields({"notes": "one\ntwo\x1b[2J"}), table("[b]", rows=[[HOSTILE]]))

    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines[:2] == ["notes  one", r"       two\x1b[2J"]
    assert lines[2:] == ["[b]", r"[red]a\x1b[2J", r"b\u202e\x9b\u2028\x7f"]


def test_quiet_says_nothing_on_the_way(capsys: pytest.CaptureFixture[str]) -> None:
    """The answer stays; what is told on the way goes, and details are for the verbose alone."""
    for output in (
        Output(is_json=False, is_quiet=True),
        Output(is_json=False),
        Output(is_json=False, is_verbose=True),
    ):
        output.say("on the way")
        output.detail("in detail")
        output.answer({}, "done")

    captured = capsys.readouterr()
    assert captured.out.split() == ["done"] * 3
    assert captured.err.splitlines() == ["on the way", "on the way", "in detail"]


def test_json_is_exact_and_safe_to_look_at() -> None:
    """What steers is written as JSON's own escapes; other scripts stay readable."""
    value = {HOSTILE: f"é {HOSTILE} \U000e0041 \udc80"}

    for document in (to_json(value), to_json(value, indent=None)):
        assert json.loads(document) == value
        assert "é" in document
        assert not [char for char in document.replace("\n", "") if not is_shown(char)]


def test_error_is_told_line_by_line(capsys: pytest.CaptureFixture[str]) -> None:
    """What a server says of a failure cannot pretend to be another line."""
    violation = FieldViolation(field=HOSTILE, description=HOSTILE)
    error = InvalidArgument(f"no: {HOSTILE}", reason=HOSTILE, hint=HOSTILE, violations=(violation,))

    show_error(error, is_json=False)

    assert capsys.readouterr().err.splitlines() == [
        f"error: no: {SHOWN}",
        f"  {SHOWN}: {SHOWN}",
        f"reason: {SHOWN}",
        f"hint: {SHOWN}",
    ]


def test_piped_bar_is_not_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    """Only a terminal sees bars."""
    with Output(is_json=False).progress("drawing", total=2) as bar:
        bar.set(1)
        bar.set(2, total=2)

    captured = capsys.readouterr()
    assert (captured.out, captured.err.strip()) == ("", "")


def test_empty_fields_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    """What is not known takes no room."""
    Output(is_json=False).answer({}, fields({"rank": "", "kind": "lora"}))

    assert capsys.readouterr().out.split() == ["kind", "lora"]


def test_table_has_its_columns(capsys: pytest.CaptureFixture[str]) -> None:
    """A heading and a line for each row; cells are no markup."""
    Output(is_json=False).answer({}, table("name", "what", rows=[("a", "[red]b")]))

    heading, row = capsys.readouterr().out.splitlines()
    assert (heading.split(), row.split()) == (["name", "what"], ["a", "[red]b"])


@pytest.mark.parametrize(
    ("count_bytes", "told"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (13_600_000, "13.6 MB"), (10**13, "10000.0 GB")],
)
def test_sizes_are_for_people(count_bytes: int, told: str) -> None:
    """Three digits and a unit."""
    assert size(count_bytes) == told


def test_short_digest_names_it() -> None:
    """Twelve hexadecimal digits."""
    assert short("sha256:" + "ab" * 32) == "sha256:abababababab"


def test_json_keeps_letters() -> None:
    """No escapes where a terminal can show the letter."""
    assert to_json({"a": "é"}) == '{\n  "a": "é"\n}'


def test_error_says_what_to_do(tabard: Tabard, server: FakeServer) -> None:
    """Message, fields, reason, hint and delay are told on stderr; stdout stays empty."""
    server.state.fail_with = FakeStatus(
        3, "it happened", "TOO_MANY", "ask for less", (("steps", "9000 is too many"),), 5
    )

    ran = tabard("generate", "x")

    assert ran.out == ""
    assert ran.err.splitlines() == [
        "error: it happened",
        "  steps: 9000 is too many",
        "reason: TOO_MANY",
        "hint: ask for less",
        "retry after: 5 s",
    ]


def test_restated_field_is_told_once(tabard: Tabard, server: FakeServer) -> None:
    """A field whose description is the message adds only its name."""
    server.state.fail_with = FakeStatus(3, "too many", "R", violations=(("steps", "too many"),))

    ran = tabard("generate", "x")

    assert ran.err.splitlines() == ["error: too many (steps)", "reason: R"]


def test_error_is_json_too(tabard: Tabard) -> None:
    """With `--json` stdout holds one document, also when it went wrong."""
    ran = tabard("show", "acme/none", "--json")

    assert ran.code == 3
    assert ran.document["error"]["reason"] == "ADAPTER_NOT_FOUND"
    assert ran.document["error"]["exit_code"] == 3
    assert "error: there is no adapter" in ran.err
