# SPDX-License-Identifier: Apache-2.0
"""Whoever finds out whose a picture is votes on it no more, by whatever call."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tabard.v1 import evidence_service_pb2 as pb
from tabard.v1 import review_service_pb2 as review
from tabard_registry import AdapterRef
from tabard_registry.identity.roles import Role
from tests.server.harness import Server, read_refusal
from tests.server.reviewing.blind_reports import file_report
from tests.server.rpc.door.known_callers import OWN, asking, call, token_for

REF = f"{OWN}/ink@1.1.0"
EVIDENCE, REVIEW = "/tabard.v1.EvidenceService", "/tabard.v1.ReviewService"


async def ask(server: Server, path: str, message: Any, *, secret: str) -> tuple[Any, str]:
    """Return the answer, and the reason of a refusal."""
    found, error = await call(server, path, [message], secret=secret)
    return (found[0] if found else None), "" if error is None else read_refusal(error).reason


def changed(png: bytes) -> bytes:
    """The same picture, larger and as JPEG: its digests say nothing."""
    file = io.BytesIO()
    with Image.open(io.BytesIO(png)) as image:
        image.convert("RGB").resize((2 * image.width, 2 * image.height)).save(file, "JPEG")
    return file.getvalue()


def test_looking_a_picture_up_is_seeing_it(tmp_path: Path) -> None:
    """Who looks up what they are shown learns the side, and cannot vote; others still can."""

    async def walk() -> tuple[Any, list[str]]:
        async with asking(tmp_path) as server:
            people = {
                one: token_for(server, one, **{OWN: (Role.REVIEW,)}) for one in ("bob", "eve")
            }
            registry = server.app.registry
            release, before = (
                registry.state.find(AdapterRef.parse(f"{OWN}/ink@{version}"))
                for version in ("1.1.0", "1.0.0")
            )
            await asyncio.to_thread(file_report, registry, release, against=before, cells=4)
            ask_pair = review.NextPairRequest(ref=REF)
            pair, _ = await ask(server, f"{REVIEW}/NextPair", ask_pair, secret=people["bob"])
            shown = review.GetPairPictureRequest(ref=REF, pair=pair.pair, side=review.PAIR_SIDE_A)
            png, _ = await ask(server, f"{REVIEW}/GetPairPicture", shown, secret=people["bob"])
            lookup = pb.LookupPictureRequest(image=changed(png.png))
            found, _ = await ask(server, f"{EVIDENCE}/LookupPicture", lookup, secret=people["bob"])
            vote = review.VoteRequest(ref=REF, pair=pair.pair, choice=review.VOTE_CHOICE_A)
            reasons = [
                (await ask(server, f"{REVIEW}/Vote", vote, secret=people["bob"]))[1],
                (await ask(server, f"{REVIEW}/NextPair", ask_pair, secret=people["eve"]))[1],
            ]
            return found, reasons

    found, reasons = asyncio.run(walk())

    assert {one.side for one in found.matches} & {"candidate", "against"}
    assert reasons == ["VOTE_UNBLINDED", ""]


@pytest.mark.parametrize("how", ["document", "page", "picture", "filed", "listed"])
def test_reading_a_filed_review_is_seeing_the_report(tmp_path: Path, how: str) -> None:
    """By each way in; who files one, or reads that it is there, still votes."""

    async def walk() -> list[str]:
        async with asking(tmp_path) as server:
            people = {
                one: token_for(server, one, **{OWN: (Role.REVIEW,)}) for one in ("bob", "eve")
            }
            registry = server.app.registry
            release, before = (
                registry.state.find(AdapterRef.parse(f"{OWN}/ink@{version}"))
                for version in ("1.1.0", "1.0.0")
            )
            report = await asyncio.to_thread(
                file_report, registry, release, against=before, cells=4
            )
            filed, _ = await ask(
                server,
                f"{EVIDENCE}/FileReview",
                pb.FileReviewRequest(ref=REF, reason="for the client"),
                secret=people["bob" if how == "filed" else "eve"],
            )
            kind = pb.EVIDENCE_KIND_REVIEW
            asked = {
                "document": ("GetEvidence", pb.GetEvidenceRequest(ref=REF, kind=kind)),
                "page": ("GetEvidence", pb.GetEvidenceRequest(ref=REF, kind=kind, with_page=True)),
                "picture": (
                    "GetPicture",
                    pb.GetPictureRequest(
                        ref=REF,
                        evidence_digest=filed.note.digest,
                        digest=str(report.candidates[0].image),
                    ),
                ),
                "listed": ("ListEvidence", pb.ListEvidenceRequest(ref=REF)),
            }
            if how in asked:
                path, message = asked[how]
                _, refused = await ask(server, f"{EVIDENCE}/{path}", message, secret=people["bob"])
                assert not refused
            pair = review.NextPairRequest(ref=REF)
            return [
                (await ask(server, f"{REVIEW}/NextPair", pair, secret=people[who]))[1]
                for who in ("bob", "eve")
            ]

    is_told = how in ("document", "page", "picture")
    assert asyncio.run(walk()) == ["VOTE_UNBLINDED" if is_told else "", ""]
