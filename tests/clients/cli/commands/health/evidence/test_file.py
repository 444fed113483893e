# SPDX-License-Identifier: Apache-2.0
"""`tabard evidence file` keeps a review beside its release; `show --save` gives it back."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tabard_registry import sha256_bytes
from tabard_registry.evidence.report import Report
from tests.clients.cli.commands.health.evidence.conftest import REF
from tests.clients.cli.conftest import Tabard
from tests.registry.evidence.reports import PICTURES


def test_review_is_filed_and_given_back(tabard: Tabard, report: Report, tmp_path: Path) -> None:
    """Byte by byte, with the pictures where the page looks for them."""
    filed = tabard("evidence", "file", REF, "--reason", "for the client")
    again = tabard("evidence", "file", REF, "--json")
    for _ in range(2):
        saved = tabard("evidence", "show", REF, "--kind", "review", "--save", tmp_path / "kept")
        assert saved.code == 0

    page = (tmp_path / "kept" / "review.html").read_bytes()
    document = json.loads((tmp_path / "kept" / "evidence.json").read_bytes())
    shown = set(re.findall(r'src="([^"]+)"', page.decode()))
    assert (filed.code, "is filed" in filed.out) == (0, True)
    assert again.document["created"] is False
    assert str(sha256_bytes(page)) == document["page"]
    assert shown == {f"{sha256_bytes(png).hex}.png" for png in PICTURES}
    assert all((tmp_path / "kept" / name).is_file() for name in shown)
    assert "review" in tabard("evidence", "list", REF).out


def test_release_without_a_report_has_no_review(tabard: Tabard, server: object) -> None:
    """And the reason says so."""
    ran = tabard("evidence", "file", "acme/none@1.0.0")

    assert ran.code != 0
