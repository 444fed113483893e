# SPDX-License-Identifier: Apache-2.0
"""`tabard evidence show` says in words, or as it is, what a document says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tabard_registry import sha256_bytes
from tabard_registry.evidence.documents import digest_of, read_document
from tabard_registry.evidence.report import Report
from tests.clients.cli.commands.health.evidence.conftest import REF
from tests.clients.cli.conftest import Tabard
from tests.registry.evidence.reports import PICTURES


@pytest.mark.parametrize(
    "words",
    [
        "ink on paper",
        "a style, so a LoRA",
        "the base alone",
        "0.71 0.61 to 0.81 0.66 -0.02 to 0.12",
        "subject not checked",
        "there is no learned encoder",
        "the line is clean",
        "two left hands",
        "2 of 4 candidates: nobody has selected or rejected them",
        "8x8",
        "copyright clear bob looked at all",
        "portrait not checked",
        "the interval of style crosses its gate",
        "outcome: look again",
        "Scores inform; a person decides.",
    ],
)
def test_report_is_told(tabard: Tabard, report: Report, words: str) -> None:
    """Everything that it says has its place."""
    ran = tabard("evidence", "show", REF)

    assert ran.code == 0
    assert words in " ".join(ran.out.split())


def test_stable_prompts_stand_apart(tabard: Tabard, report: Report) -> None:
    """Each with its interval."""
    lines = tabard("evidence", "show", REF).out.splitlines()

    heading = next(n for n, line in enumerate(lines) if line.startswith("prompt that is not"))
    assert lines[heading + 1].split("  ")[0].strip() == "a cat"
    assert "0.10 to 0.70" in lines[heading + 1]


def test_json_is_the_document(tabard: Tabard, report: Report) -> None:
    """Whole, so that its digest can be made again."""
    ran = tabard("evidence", "show", REF, "--json")

    assert digest_of(read_document(ran.out.encode())) == digest_of(report)


def test_document_is_saved_with_its_pictures(
    tabard: Tabard, report: Report, tmp_path: Path
) -> None:
    """By names that say what they are; said again nothing changes."""
    folder = tmp_path / "report"
    for _ in range(2):
        assert tabard("evidence", "show", REF, "--save", folder).code == 0

    names = sorted(one.name for one in folder.iterdir())
    assert len(names) == 2 + len(PICTURES)
    assert names[0].startswith("candidate-00-1-")
    saved = (folder / "evidence.json").read_bytes()
    assert sha256_bytes(saved) == digest_of(report)


def test_unknown_document_is_refused(tabard: Tabard, report: Report) -> None:
    """With what to say instead."""
    ran = tabard("evidence", "show", REF, "0" * 12)

    assert ran.code == 3
    assert "tabard evidence list" in ran.err
