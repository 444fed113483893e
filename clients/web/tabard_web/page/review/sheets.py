# SPDX-License-Identifier: Apache-2.0
"""`/api/review`: the report on a release as a grid to look at, worst prompts first; and a decision.

Whoever reads it knows whose picture is whose, and votes on its pairs no more.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import StreamingResponse

from tabard import EvidenceDocument, Reviews
from tabard.health.review_page import page_pieces
from tabard_web.front.said_once import door
from tabard_web.page.errors import FAILURES
from tabard_web.page.visitors import OwnPage, Visitors, require_own_page
from tabard_web.texts import Text

_PAGE = {200: {"content": {"text/html": {}}, "description": "The page."}}


class Cell(BaseModel):
    """What both releases drew with one prompt and seed.

    Attributes:
        seed: The seed.
        candidate: Digest of the picture of the release.
        baseline: Digest of that of the release that it was compared with; empty: there is none.
    """

    seed: int
    candidate: str
    baseline: str


class Row(BaseModel):
    """One prompt.

    Attributes:
        prompt: Its text.
        mean: How it came out; None: it is not scored.
        stable: Whether it comes out alike from seed to seed.
        cells: Its pictures, by seed.
    """

    prompt: str
    mean: float | None
    stable: bool | None
    cells: list[Cell]


class FiledNote(BaseModel):
    """A review that was filed.

    Attributes:
        evidence: Digest of the document.
        actor: By whom.
        time: When.
    """

    evidence: str
    actor: str
    time: str


class Sheet(BaseModel):
    """A report as a grid.

    Attributes:
        name: `namespace/name`.
        version: The release.
        against: What it was compared with; empty: nothing.
        report: Digest of the report.
        verdict: What it says: `Success`, `Failed` or `Inconclusive`.
        reasons: What that rests on.
        checks: The failure checks by name: state, who says so, and their note.
        rows: Its prompts, the worst first; those that are not scored last.
        reviews: What people decided, newest first.
        votes: Blind votes: for it, for the other, ties, and against both.
        labels: What voters saw fail, by label: in its pictures, and in those of the other.
        channels: Channels that point to it.
        filed: Reviews that were filed, newest first.
    """

    name: str
    version: str
    against: str
    report: str
    verdict: str
    reasons: list[str]
    checks: dict[str, dict[str, Any]]
    rows: list[Row]
    reviews: list[dict[str, Any]]
    votes: tuple[int, int, int, int]
    labels: dict[str, tuple[int, int]]
    channels: list[str]
    filed: list[FiledNote] = []


class ReviewRequest(BaseModel):
    """Somebody decides.

    Attributes:
        ref: The release.
        decision: What they decide.
        note: Why.
        report: Digest of the report that they saw.
        actor: Who they say that they are, where nobody is asked.
    """

    model_config = ConfigDict(extra="forbid")

    ref: Text
    decision: Literal["approve", "reject"]
    note: Annotated[Text, Field(min_length=1)]
    report: Text
    actor: Text = ""


class Decided(BaseModel):
    """What came of it.

    Attributes:
        decision: What stands now.
        changed: False: it stood so already.
    """

    decision: str
    changed: bool


class FilingRequest(BaseModel):
    """Somebody keeps the review as it stands.

    Attributes:
        ref: The release.
        actor: Who they say that they are, where nobody is asked.
    """

    model_config = ConfigDict(extra="forbid")

    ref: Text
    actor: Text = ""


class ReviewFiled(BaseModel):
    """What came of it.

    Attributes:
        evidence: Digest of the document.
        created: False: it was filed before, and nothing was said since.
    """

    evidence: str
    created: bool


class SheetsDoor:
    """Shows reports, and takes decisions."""

    def __init__(self, visitors: Visitors) -> None:
        self._visitors = visitors

    @property
    def router(self) -> APIRouter:
        """The paths."""
        router = door(prefix="/api", tags=["page"], responses=FAILURES)
        router.add_api_route("/review", self.sheet, methods=["GET"])
        router.add_api_route("/review", self.review, methods=["POST"])
        router.add_api_route("/review/filed", self.file, methods=["POST"])
        router.add_api_route(
            "/review/export",
            self.export,
            methods=["GET"],
            response_class=StreamingResponse,
            responses=_PAGE,  # type: ignore[arg-type]
        )
        return router

    async def sheet(self, request: Request, ref: Text) -> Sheet:
        """Show the newest report on a release, with what people say."""
        async with self._visitors.client(request) as client:
            found = await client.evidence_document(ref, kind="report")
            said = await client.reviews(f"{found.adapter}@{found.version}")
            line = await client.get(found.adapter)
            notes = await client.evidence(ref, kind="review")
        channels = [one.name for one in line.channels if one.version == found.version]
        sheet = sheet_of(found.document, said, report_digest=found.note.digest, channels=channels)
        filed = [FiledNote(evidence=one.digest, actor=one.actor, time=one.time) for one in notes]
        return sheet.model_copy(update={"filed": filed})

    async def export(self, request: Request, ref: Text, evidence: Text = "") -> StreamingResponse:
        """Give the review as one file that needs neither script nor server.

        As it stands now; with `evidence`, as it was filed, or as it stands on an older report.
        """
        async with self._visitors.client(request) as client:
            found = await client.evidence_document(
                ref, digest=evidence, kind="report", with_page=True
            )
        name = f"review-{found.adapter.replace('/', '-')}-{found.version}.html"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        pieces = self._exported(request, found)
        return StreamingResponse(pieces, media_type="text/html; charset=utf-8", headers=headers)

    async def _exported(self, request: Request, found: EvidenceDocument) -> AsyncIterator[str]:
        """Write the page; a picture is held only while it is written."""
        ref, evidence = f"{found.adapter}@{found.release_digest}", found.note.digest
        async with self._visitors.client(request) as client:
            for text, digest in page_pieces(found.page):
                yield text
                if digest:
                    png = await client.evidence_picture(ref, evidence=evidence, digest=digest)
                    yield f"data:image/png;base64,{b64encode(png).decode()}"

    async def file(self, asked: FilingRequest, request: Request, page: OwnPage) -> ReviewFiled:
        """Keep the review as it stands now in the evidence of the release."""
        del page
        require_own_page(request)
        async with self._visitors.client(request, actor=asked.actor.strip()) as client:
            done = await client.file_review(asked.ref)
        return ReviewFiled(evidence=done.note.digest, created=done.created)

    async def review(self, asked: ReviewRequest, request: Request, page: OwnPage) -> Decided:
        """Approve of a release, or reject it."""
        del page
        require_own_page(request)
        async with self._visitors.client(request, actor=asked.actor.strip()) as client:
            done = await client.review(
                asked.ref, asked.decision, note=asked.note, evidence=asked.report
            )
        return Decided(decision=done.review.decision, changed=done.changed)


def sheet_of(
    report: Mapping[str, Any], said: Reviews, *, report_digest: str, channels: list[str]
) -> Sheet:
    """Make the grid of a report, its worst prompts first."""
    scores = {one["prompt"]: one for one in report.get("prompts", ())}
    texts = [one.get("prompt", "") for one in report.get("prompt_record", ())]
    baseline = {(one["prompt"], one["seed"]): one["image"] for one in report.get("baseline", ())}
    cells: dict[int, list[Cell]] = {}
    for one in report.get("candidates", ()):
        place, seed = one["prompt"], one["seed"]
        cell = Cell(seed=seed, candidate=one["image"], baseline=baseline.get((place, seed), ""))
        cells.setdefault(place, []).append(cell)
    rows = []
    for place, row in cells.items():
        text = texts[place] if place < len(texts) else ""
        score = scores.get(text, {})
        rows.append(Row(prompt=text, mean=score.get("mean"), stable=score.get("stable"), cells=row))
    rows.sort(key=lambda row: (row.mean is None, row.mean or 0.0))
    return Sheet(
        name=said.adapter,
        version=said.version,
        against=(report.get("against") or {}).get("version", ""),
        report=report_digest,
        verdict=report.get("verdict", ""),
        reasons=report.get("reasons", []),
        checks=report.get("checks", {}),
        rows=rows,
        reviews=[asdict(one) for one in said.reviews],
        votes=(
            said.votes_for_candidate,
            said.votes_for_baseline,
            said.votes_tied,
            said.votes_both_bad,
        ),
        labels=dict(said.labels),
        channels=channels,
    )
