# SPDX-License-Identifier: Apache-2.0
"""`/api/styles/NAMESPACE/NAME/evidence`: what is known of each version: scores, checks, reviews.

For the newest versions, a few at once: each takes several calls of the server.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel

from tabard import AsyncClient, FailedPrecondition, NotFound
from tabard_web.page.best_cell import best_picture
from tabard_web.page.errors import FAILURES
from tabard_web.page.review.blindness import can_vote
from tabard_web.page.visitors import Visitors
from tabard_web.texts import Text

_VERSIONS_MAX = 24
_AT_ONCE_MAX = 6
_PICTURES_MAX = 6


class Picture(BaseModel):
    """A picture that a document of evidence lists.

    Attributes:
        evidence: Digest of the document.
        digest: Its digest.
        prompt: What it was drawn for.
        seed: Its seed; None: nobody says.
    """

    evidence: str
    digest: str
    prompt: str
    seed: int | None


class Known(BaseModel):
    """What is known of a version.

    Attributes:
        version: The version.
        documents: Notes of the log about its evidence, newest first.
        verdict: What its newest report says: `success`, `failed` or `inconclusive`; empty: none.
        report: Digest of that report; empty: there is none.
        reasons: What the verdict rests on.
        scores: What was measured.
        checks: The failure checks by name: state, who says so, and their note.
        goal: What it is for, in the words of its author.
        pictures: A few of its pictures, the best first.
        reviews: What people decided, newest first.
        votes: Blind votes for it, for what it was compared with, and for neither.
        is_withheld: Whether the visitor may vote on pairs of the report: nothing of it is told
            unasked.
    """

    version: str
    documents: list[dict[str, Any]] = []
    verdict: str = ""
    report: str = ""
    reasons: list[str] = []
    scores: list[dict[str, Any]] = []
    checks: dict[str, dict[str, Any]] = {}
    goal: str = ""
    pictures: list[Picture] = []
    reviews: list[dict[str, Any]] = []
    votes: tuple[int, int, int] = (0, 0, 0)
    is_withheld: bool = False


class EvidenceDoor:
    """Tells what is known."""

    def __init__(self, visitors: Visitors) -> None:
        self._visitors = visitors

    @property
    def router(self) -> APIRouter:
        """The path."""
        router = APIRouter(prefix="/api", tags=["page"], responses=FAILURES)
        path = "/styles/{namespace}/{name}/evidence"
        router.add_api_route(path, self.evidence, methods=["GET"])
        return router

    async def evidence(
        self, request: Request, namespace: Text, name: Text, read: Text = ""
    ) -> list[Known]:
        """Tell what is known of the newest versions of a line, newest first.

        A report whose pairs the visitor may vote on is shown only where `read` is its version.
        """
        async with self._visitors.client(request) as client:
            line = await client.get(f"{namespace}/{name}")
            places = asyncio.Semaphore(_AT_ONCE_MAX)

            async def look(version: str) -> Known:
                async with places:
                    return await _known(
                        client, f"{line.name}@{version}", version=version, read=read
                    )

            versions = [one.version for one in line.releases[:_VERSIONS_MAX]]
            return list(await asyncio.gather(*map(look, versions)))


async def _known(client: AsyncClient, ref: str, *, version: str, read: str) -> Known:
    try:
        if version != read and await can_vote(client, ref):
            shown = await _shown(client, ref, has_report=False)
            return Known(version=version, is_withheld=True).model_copy(update=shown)
        notes = await client.evidence(ref)
        reviews = await client.reviews(ref)
        known = Known(
            version=version,
            documents=[asdict(one) for one in notes],
            verdict=reviews.report_verdict,
            report=reviews.report_digest,
            reviews=[asdict(one) for one in reviews.reviews],
            votes=(
                reviews.votes_for_candidate,
                reviews.votes_for_baseline,
                reviews.votes_tied,
            ),
        )
        document = await _shown(client, ref, has_report=bool(known.report))
    except (NotFound, FailedPrecondition):
        # It was purged, or withdrawn from sight meanwhile: nothing is known any more.
        return Known(version=version)
    return known.model_copy(update=document)


async def _shown(client: AsyncClient, ref: str, *, has_report: bool) -> Mapping[str, Any]:
    """Return what the newest report says; without one, the pictures that show the release."""
    try:
        found = await client.evidence_document(ref, kind="report" if has_report else "previews")
    except NotFound:
        return {}
    said = found.document
    return {
        "reasons": said.get("reasons", []),
        "scores": said.get("scores", []),
        "checks": said.get("checks", {}),
        "goal": said.get("goal", {}).get("statement", ""),
        "pictures": _pictures(said, found.note.digest),
    }


def _pictures(said: Mapping[str, Any], evidence: str) -> list[Picture]:
    """Choose one picture of each prompt, the best first."""
    texts = [one.get("prompt", "") for one in said.get("prompt_record", ())]
    best, chosen = best_picture(said), {}
    for cell in [*said.get("candidates", ()), *said.get("cells", ())]:
        place = cell.get("prompt")
        if cell.get("image") and (place not in chosen or cell["image"] == best):
            chosen[place] = cell
    ranked = sorted(chosen.values(), key=lambda cell: cell["image"] != best)
    return [
        Picture(
            evidence=evidence,
            digest=cell["image"],
            prompt=dict(enumerate(texts)).get(cell.get("prompt"), ""),
            seed=cell.get("seed"),
        )
        for cell in ranked[:_PICTURES_MAX]
    ]
