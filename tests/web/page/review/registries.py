# SPDX-License-Identifier: Apache-2.0
"""A registry with a blind pair, a report and references, as a client of the SDK tells it."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

from PIL import Image
from starlette.requests import Request

from tabard import (
    BlindPair,
    EvidenceDocument,
    EvidenceNote,
    FailedPrecondition,
    NotFound,
    Reviews,
    StoredVote,
)

REPORT: dict[str, Any] = {
    "against": {"version": "1.0.0"},
    "verdict": "Failed",
    "reasons": ["broken: 2 of 4"],
    "checks": {"artifact": {"state": "flagged"}},
    "prompt_record": [{"prompt": "good"}, {"prompt": "bad"}, {"prompt": "control"}],
    "prompts": [
        {"prompt": "good", "mean": 1.5, "stable": True},
        {"prompt": "bad", "mean": 0.2, "stable": False},
    ],
    "candidates": [{"image": f"new {prompt}", "prompt": prompt, "seed": 7} for prompt in (0, 1, 2)],
    "baseline": [{"image": f"old {prompt}", "prompt": prompt, "seed": 7} for prompt in (0, 1)],
}
PICTURES = [f"sha256:{digit * 64}" for digit in "ab"]
PAGE = "".join(
    ["<h1>ü</h1>", *(f'<img alt="x" src="{one[7:]}.png">' for one in PICTURES), "</html>"]
).encode()


class FakeRegistry:
    """`acme/ink` in three versions; the first has references, the newest a report with pairs."""

    def __init__(self, *, proof: str = "token", has_seen: bool = False) -> None:
        self.proof = proof
        self.has_seen = has_seen
        self.asked: list[tuple[Any, ...]] = []

    async def whoami(self) -> Any:
        return SimpleNamespace(proof=self.proof)

    async def resolve(self, ref: str) -> Any:
        return SimpleNamespace(adapter="acme/ink", version=ref.partition("@")[2])

    async def get(self, name: str) -> Any:
        states = {"3.0.0": "live", "2.0.0": "quarantined", "1.0.0": "live"}
        return SimpleNamespace(
            name=name,
            releases=[SimpleNamespace(version=one, state=states[one]) for one in states],
            channels=[SimpleNamespace(name="stable", version="3.0.0")],
        )

    async def next_pair(self, ref: str, *, held: Any = ()) -> BlindPair | None:
        self.asked.append(("next", ref, tuple(held)))
        if self.has_seen:
            raise FailedPrecondition("was shown the report", reason="VOTE_UNBLINDED")
        if "pair" in held:
            return None
        return BlindPair(
            adapter="acme/ink",
            version="3.0.0",
            digest="sha256:" + "d" * 64,
            pair="pair",
            prompt="a <b>cat",
            negative_prompt="",
            seed=7,
            pair_count=16,
            voted_count=3,
        )

    async def pair_picture(self, ref: str, *, pair: str, side: str) -> bytes:
        self.asked.append(("picture", ref, pair, side))
        return f"png {side}".encode()

    async def vote(self, ref: str, choice: str, *, pair: str, **said: Any) -> StoredVote:
        self.asked.append(("vote", ref, choice, pair, said))
        return StoredVote(
            adapter="acme/ink",
            version="3.0.0",
            digest="sha256:" + "d" * 64,
            a="candidate",
            b="baseline",
            chosen="candidate",
            pair_count=16,
            voted_count=4,
        )

    async def evidence_document(
        self, ref: str, *, kind: str, digest: str = "", with_page: bool = False
    ) -> EvidenceDocument:
        documents = {
            ("report", "3.0.0"): REPORT,
            ("references", "2.0.0"): {"pictures": ["of a bad one"]},
            ("references", "1.0.0"): {"pictures": ["one", "two", "one"]},
            ("training", "1.0.0"): {"embeddings": [{}]},
        }
        version = ref.partition("@")[2]
        if (kind, version) not in documents:
            raise NotFound("none", reason="EVIDENCE_NOT_FOUND")
        content = json.dumps(documents[kind, version]).encode()
        return EvidenceDocument(
            adapter="acme/ink",
            version=version,
            release_digest="",
            note=note(digest or "sha256:r"),
            content=content,
            page=PAGE if with_page else b"",
        )

    async def evidence(self, ref: str, *, kind: str) -> tuple[EvidenceNote, ...]:
        self.asked.append(("listed", ref, kind))
        return (note("sha256:filed"),)

    async def file_review(self, ref: str) -> Any:
        self.asked.append(("filed", ref))
        return SimpleNamespace(note=note("sha256:filed"), created=True)

    async def evidence_picture(self, ref: str, *, evidence: str, digest: str) -> bytes:
        self.asked.append(("shown", ref, evidence, digest))
        buffer = io.BytesIO()
        Image.new("RGB", (32, 32), "red").save(buffer, "PNG")
        return buffer.getvalue()

    async def reviews(self, ref: str) -> Reviews:
        del ref
        return Reviews(
            adapter="acme/ink",
            version="3.0.0",
            digest="",
            report_digest="sha256:r",
            report_verdict="failed",
            reviews=(),
            votes_for_candidate=1,
            votes_for_baseline=5,
            votes_tied=2,
            votes_both_bad=3,
            labels={"artifact": (4, 0)},
        )

    async def review(self, ref: str, decision: str, *, note: str, evidence: str) -> Any:
        self.asked.append(("review", ref, decision, note, evidence))
        return SimpleNamespace(review=SimpleNamespace(decision=decision), changed=True)


class FakeVisitors:
    """Gives a registry to everybody, and notes who they say that they are."""

    def __init__(self, registry: FakeRegistry) -> None:
        self.registry = registry
        self.actors: list[str] = []

    @asynccontextmanager
    async def client(self, _request: Request, *, actor: str = "") -> AsyncIterator[FakeRegistry]:
        self.actors.append(actor)
        yield self.registry

    def token(self, _request: Request) -> str:
        return ""


def note(digest: str = "sha256:r") -> EvidenceNote:
    """What the log says of a document."""
    said: dict[str, Any] = dict.fromkeys(EvidenceNote.__slots__, "")
    return EvidenceNote(**{**said, "digest": digest, "checks": {}, "seq": 1})


def request() -> Request:
    """A request of the page."""
    return Request({"type": "http", "headers": []})
