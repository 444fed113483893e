# SPDX-License-Identifier: Apache-2.0
"""What is known of each version, gathered from several answers; what is gone is known no more."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, ClassVar

from starlette.requests import Request

from tabard import EvidenceDocument, EvidenceNote, FailedPrecondition, NotFound, Reviews
from tabard_web.page.evidence import EvidenceDoor, Known

REPORT = {
    "goal": {"statement": "calm washes"},
    "reasons": ["style: 2.4"],
    "scores": [{"name": "style", "state": "measured", "value": 2.4}],
    "checks": {"artifact": {"state": "clear"}},
    "prompt_record": [{"prompt": "a cat"}, {"prompt": "a dog"}],
    "prompts": [{"prompt": "a dog", "mean": 1.0}],
    "candidates": [
        {"image": "cat", "prompt": 0, "seed": 1},
        {"image": "cat 2", "prompt": 0, "seed": 2},
        {"image": "dog", "prompt": 1, "seed": 1},
    ],
}
PREVIEWS = {"cells": [{"image": "shown", "prompt": 0, "seed": 3}]}


class FakeRegistry:
    """A line whose newest version has a report, one has previews, one was purged."""

    def __init__(self, proof: str = "") -> None:
        self.proof = proof

    documents: ClassVar = {"3.0.0": ("report", REPORT), "2.0.0": ("previews", PREVIEWS)}

    async def get(self, name: str) -> Any:
        versions = ("3.0.0", "2.0.0", "1.1.0", "1.0.0")
        return SimpleNamespace(
            name=name, releases=[SimpleNamespace(version=one) for one in versions]
        )

    async def whoami(self) -> Any:
        return SimpleNamespace(proof=self.proof)

    async def next_pair(self, ref: str) -> Any:
        return ref if ref.endswith("3.0.0") else None

    async def evidence(self, ref: str) -> tuple[EvidenceNote, ...]:
        version = ref.partition("@")[2]
        if version == "1.0.0":
            raise FailedPrecondition("it was purged", reason="RELEASE_PURGED")
        return (note(),) if version in self.documents else ()

    async def reviews(self, ref: str) -> Reviews:
        is_judged = ref.endswith("3.0.0")
        return Reviews(
            adapter="acme/ink",
            version=ref.partition("@")[2],
            digest="",
            report_digest="sha256:r" if is_judged else "",
            report_verdict="success" if is_judged else "",
            reviews=(),
            votes_for_candidate=3,
            votes_for_baseline=1,
            votes_tied=2,
            votes_both_bad=0,
            labels={},
        )

    async def evidence_document(self, ref: str, *, kind: str) -> EvidenceDocument:
        version = ref.partition("@")[2]
        if self.documents.get(version, ("",))[0] != kind:
            raise NotFound("none", reason="EVIDENCE_NOT_FOUND")
        content = json.dumps(self.documents[version][1]).encode()
        return EvidenceDocument(
            adapter="acme/ink", version=version, release_digest="", note=note(), content=content
        )


class FakeVisitors:
    """Gives the fake to everybody."""

    def __init__(self, proof: str) -> None:
        self.proof = proof

    @asynccontextmanager
    async def client(self, _request: Request) -> AsyncIterator[FakeRegistry]:
        yield FakeRegistry(self.proof)


def note() -> EvidenceNote:
    said: dict[str, Any] = dict.fromkeys(EvidenceNote.__slots__, "")
    return EvidenceNote(**{**said, "digest": "sha256:r", "checks": {}, "seq": 1})


def known(*, proof: str = "", read: str = "") -> dict[str, Known]:
    door = EvidenceDoor(FakeVisitors(proof))  # type: ignore[arg-type]
    request = Request({"type": "http"})
    return {one.version: one for one in asyncio.run(door.evidence(request, "acme", "ink", read))}


def test_report_is_told() -> None:
    """Scores, checks, votes, and a picture of each prompt, the best first."""
    told = known()["3.0.0"]

    assert (told.verdict, told.goal, told.votes) == ("success", "calm washes", (3, 1, 2))
    assert told.scores == REPORT["scores"]
    assert [(one.digest, one.prompt) for one in told.pictures] == [
        ("dog", "a dog"),
        ("cat", "a cat"),
    ]
    assert {one.evidence for one in told.pictures} == {"sha256:r"}


def test_report_is_kept_from_who_may_vote() -> None:
    """Until they ask for it; nothing of it is told meanwhile."""
    kept = known(proof="token")
    read = known(proof="token", read="3.0.0")

    assert kept["3.0.0"] == Known(version="3.0.0", is_withheld=True)
    assert read["3.0.0"].scores == REPORT["scores"]
    assert [one.digest for one in kept["2.0.0"].pictures] == ["shown"]


def test_previews_show_what_was_not_judged() -> None:
    """There are pictures, and no scores."""
    told = known()["2.0.0"]

    assert [one.digest for one in told.pictures] == ["shown"]
    assert (told.report, told.scores) == ("", [])


def test_nothing_is_known_of_what_is_gone() -> None:
    """One that was purged, and one that nobody has looked at, take nothing from the others."""
    told = known()

    assert list(told) == ["3.0.0", "2.0.0", "1.1.0", "1.0.0"]
    assert told["1.0.0"] == Known(version="1.0.0")
    assert told["1.1.0"].pictures == []
