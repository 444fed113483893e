# SPDX-License-Identifier: Apache-2.0
"""`tabard evidence list` names documents, and says what nobody checked."""

from tabard_registry.evidence.report import Report
from tests.clients.cli.commands.health.evidence.conftest import REF
from tests.clients.cli.conftest import Tabard
from tests.clients.fakes.real_server import RealServer


def test_documents_are_listed(tabard: Tabard, report: Report) -> None:
    """With their verdict and how many checks stand how."""
    ran = tabard("evidence", "list", REF)

    assert ran.code == 0
    assert "inconclusive" in ran.out
    assert "5 not checked, 1 clear" in ran.out
    assert tabard("evidence", "list", REF, "--json").document[0]["kind"] == "report"


def test_kind_without_documents_is_told(tabard: Tabard, report: Report) -> None:
    """In words, and as an empty list."""
    assert tabard("evidence", "list", REF, "--kind", "previews").out == "no evidence\n"
    assert tabard("evidence", "list", REF, "--kind", "previews", "--json").document == []


def test_unknown_release_is_refused(tabard: Tabard, server: RealServer) -> None:
    """As everywhere."""
    ran = tabard("evidence", "list", "acme/nobody")

    assert ran.code == 3
    assert "ADAPTER_NOT_FOUND" in ran.err
