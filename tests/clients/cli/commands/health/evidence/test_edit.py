# SPDX-License-Identifier: Apache-2.0
"""`tabard evidence edit` completes a report, and changes nothing that was measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tabard_registry.evidence.report import Report
from tests.clients.cli.commands.health.evidence.conftest import REF
from tests.clients.cli.conftest import Tabard
from tests.clients.fakes.real_server import RealServer


def shown(tabard: Tabard) -> dict[str, Any]:
    """The newest report."""
    document: dict[str, Any] = tabard("evidence", "show", REF, "--json").document
    return document


def test_fields_are_said(tabard: Tabard, report: Report) -> None:
    """Whoever changed a check stands beside it; what others checked stays theirs."""
    said = ("--set", "checks.portrait=clear", "--note", "nobody in it", "--set", "outcome=kept")
    ran = tabard("evidence", "edit", REF, *said, "--reason", "looked at it")

    found = shown(tabard)
    assert ran.code == 0
    assert "asked again" in ran.out
    assert found["outcome"] == "kept"
    assert found["checks"]["portrait"] == {"by": "alice", "note": "nobody in it", "state": "clear"}
    assert found["checks"]["copyright"]["by"] == "bob"
    assert set(found["checks"]) == {"portrait", "copyright"}
    assert found["edited_from"]


def test_editor_is_opened(
    tabard: Tabard, report: Report, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """On what people complete, and nothing else."""
    script = tmp_path / "editor.py"
    script.write_text(
        "import json, pathlib, sys\n"
        "path = pathlib.Path(sys.argv[1])\n"
        "said = json.loads(path.read_text(encoding='utf-8'))\n"
        "assert 'verdict' not in said\n"
        "said['goal']['statement'] = 'by hand'\n"
        "path.write_text(json.dumps(said), encoding='utf-8')\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("VISUAL", f"python {script}")

    assert tabard("evidence", "edit", REF).code == 0
    assert shown(tabard)["goal"]["statement"] == "by hand"


def test_nothing_said_changes_nothing(
    tabard: Tabard, report: Report, monkeypatch: pytest.MonkeyPatch, server: RealServer
) -> None:
    """An editor that is closed asks nobody for a review again."""
    monkeypatch.setenv("VISUAL", "true")
    before = server.registry.seq

    ran = tabard("evidence", "edit", REF)

    assert (ran.code, ran.out) == (0, "nothing changed\n")
    assert server.registry.seq == before


def test_file_is_taken(tabard: Tabard, report: Report, tmp_path: Path) -> None:
    """Some fields of it; the rest stays."""
    file = tmp_path / "said.json"
    file.write_text(json.dumps({"goal": {"statement": "from a file"}}), encoding="utf-8")

    assert tabard("evidence", "edit", REF, "--file", file).code == 0
    assert shown(tabard)["goal"] == {
        "purpose": "style",
        "statement": "from a file",
        "why_this_method": "a style, so a LoRA",
    }


def test_measurement_stays(tabard: Tabard, report: Report, tmp_path: Path) -> None:
    """A whole report in which the verdict is another one is refused."""
    file = tmp_path / "report.json"
    file.write_text(json.dumps(shown(tabard) | {"verdict": "Success"}), encoding="utf-8")

    ran = tabard("evidence", "edit", REF, "--file", file)

    assert ran.code == 5
    assert "EDIT_OF_MEASUREMENT" in ran.err
    assert shown(tabard)["verdict"] == "Inconclusive"


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--set", "checks.portrait=perfect"), 4),
        (("--set", "verdict=Success"), 2),
        (("--note", "x"), 2),
        (("--file", "absent.json"), 4),
    ],
)
def test_bad_input_is_refused(
    tabard: Tabard, report: Report, options: tuple[str, ...], code: int
) -> None:
    """Each with what to say instead."""
    assert tabard("evidence", "edit", REF, *options).code == code
