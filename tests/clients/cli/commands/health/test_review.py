# SPDX-License-Identifier: Apache-2.0
"""`tabard review`: of the report that was seen, else of the newest, which it names."""

from __future__ import annotations

import pytest

from tabard.cli import exit_codes
from tests.clients.cli.conftest import Tabard
from tests.clients.fakes.real_server import RealServer
from tests.registry.evidence.reports import put_report

REF = "acme/ink@1.0.0"


@pytest.fixture
def report(server: RealServer) -> str:
    """A release with a report that an evaluation filed."""
    return str(put_report(server.registry, server.publish("acme/ink")).note.document)


def test_newest_report_is_reviewed_and_named(tabard: Tabard, report: str) -> None:
    """Without --evidence; the same again changes nothing."""
    ran = tabard("review", REF, "approve", "--note", "edges are right")
    again = tabard("review", REF, "approve", "--note", "edges are right")
    document = tabard("review", REF, "reject", "--note", "no", "--evidence", report, "--json")

    assert (ran.code, report[:19] in ran.out, "edges are right" in ran.out) == (0, True, True)
    assert "nothing changed" in again.out
    assert document.document["review"]["evidence_digest"] == report
    assert document.document["review"]["reviewer"] == "alice"


def test_review_without_any_report(tabard: Tabard, server: RealServer) -> None:
    """Possible, and said."""
    server.publish("acme/ink")

    ran = tabard("review", REF, "reject", "--note", "nobody measured it")

    assert (ran.code, "none" in ran.out) == (0, True)


@pytest.mark.parametrize(
    "arguments",
    [("approve",), ("maybe", "--note", "x"), ("--note", "x"), ("aprove", "--note", "x")],
)
def test_decision_and_note_are_said(
    tabard: Tabard, server: RealServer, arguments: tuple[str, ...]
) -> None:
    """A wrong command line otherwise."""
    assert tabard("review", REF, *arguments).code == exit_codes.USAGE


def test_refusals_say_what_to_do(tabard: Tabard, server: RealServer, report: str) -> None:
    """An author who reviews, and an older report."""
    release = server.registry.state.adapters
    (line,) = (release[name] for name in release)
    (only,) = line.by_digest.values()
    put_report(server.registry, only, verdict="Failed")

    outdated = tabard("review", REF, "approve", "--note", "x", "--evidence", report)

    assert (outdated.code, "REVIEW_OUTDATED" in outdated.err) == (exit_codes.PRECONDITION, True)
    assert f"tabard evidence show {REF}" in outdated.err
