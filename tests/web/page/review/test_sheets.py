# SPDX-License-Identifier: Apache-2.0
"""A report as a grid, the worst prompts first; and decisions about it."""

import asyncio

import httpx
import pytest

from tabard_web.page.review.sheets import FilingRequest, ReviewRequest, Sheet, SheetsDoor
from tests.web.page.review.registries import PICTURES, FakeRegistry, FakeVisitors, request

PAGE = {"X-Tabard-Page": "1"}


def sheet() -> Sheet:
    door = SheetsDoor(FakeVisitors(FakeRegistry()))  # type: ignore[arg-type]
    return asyncio.run(door.sheet(request(), "acme/ink@3.0.0"))


def test_worst_prompts_come_first() -> None:
    """What is not scored comes last."""
    rows = sheet().rows

    assert [(one.prompt, one.mean, one.stable) for one in rows] == [
        ("bad", 0.2, False),
        ("good", 1.5, True),
        ("control", None, None),
    ]


def test_cells_have_both_pictures() -> None:
    """Of one prompt and seed; a control was not compared."""
    cells = [row.cells[0] for row in sheet().rows]

    assert [(one.candidate, one.baseline) for one in cells] == [
        ("new 1", "old 1"),
        ("new 0", "old 0"),
        ("new 2", ""),
    ]


def test_sheet_says_what_people_say() -> None:
    """Votes and labels, the verdict, and where it is served."""
    told = sheet()

    assert (told.version, told.against, told.verdict) == ("3.0.0", "1.0.0", "Failed")
    assert (told.votes, told.labels) == ((1, 5, 2, 3), {"artifact": (4, 0)})
    assert (told.report, told.channels) == ("sha256:r", ["stable"])


def test_decision_is_of_the_report_that_was_seen() -> None:
    """By whom the visitor says to be."""
    registry = FakeRegistry()
    visitors = FakeVisitors(registry)
    door = SheetsDoor(visitors)  # type: ignore[arg-type]
    asked = ReviewRequest(
        ref="acme/ink@3.0.0", decision="reject", note="broken", report="sha256:r", actor="bob"
    )

    told = asyncio.run(door.review(asked, request(), "1"))

    assert told.model_dump() == {"decision": "reject", "changed": True}
    assert registry.asked == [("review", "acme/ink@3.0.0", "reject", "broken", "sha256:r")]
    assert visitors.actors == ["bob"]


def test_decision_needs_a_note(web: httpx.Client) -> None:
    """And a page that asks."""
    asked = {"ref": "acme/ink", "decision": "approve", "report": "sha256:r"}

    assert web.post("/api/review", json={**asked, "note": ""}, headers=PAGE).status_code == 400
    assert web.post("/api/review", json={**asked, "note": "fine"}).status_code == 400


@pytest.mark.parametrize("evidence", ["", "sha256:filed"])
def test_export_is_one_file(evidence: str) -> None:
    """With every picture in it, and nothing to be asked for; as it stands, or was filed."""
    registry = FakeRegistry()
    door = SheetsDoor(FakeVisitors(registry))  # type: ignore[arg-type]

    async def read() -> tuple[str, str]:
        answer = await door.export(request(), "acme/ink@3.0.0", evidence)
        pieces = [str(piece) async for piece in answer.body_iterator]
        return "".join(pieces), answer.headers["content-disposition"]

    page, name = asyncio.run(read())

    assert name == 'attachment; filename="review-acme-ink-3.0.0.html"'
    assert page.count('src="data:image/png;base64,iVBOR') == 2
    assert page.count(" src=") == 2
    assert page.startswith("<h1>ü</h1>")
    assert page.endswith("</html>")
    shown = [(of, digest) for _, _, of, digest in registry.asked]
    assert shown == [(evidence or "sha256:r", one) for one in PICTURES]


def test_review_is_filed_by_who_says_so() -> None:
    """And the sheet tells of those that were filed."""
    registry = FakeRegistry()
    visitors = FakeVisitors(registry)
    door = SheetsDoor(visitors)  # type: ignore[arg-type]

    told = asyncio.run(
        door.file(FilingRequest(ref="acme/ink@3.0.0", actor=" bob "), request(), "1")
    )

    assert told.model_dump() == {"evidence": "sha256:filed", "created": True}
    assert (registry.asked, visitors.actors) == ([("filed", "acme/ink@3.0.0")], ["bob"])
    assert [one.evidence for one in sheet().filed] == ["sha256:filed"]


def test_only_the_page_files(web: httpx.Client) -> None:
    """Another site's form cannot."""
    assert web.post("/api/review/filed", json={"ref": "acme/ink"}).status_code == 400
