# SPDX-License-Identifier: Apache-2.0
"""`/api/pairs`: blind pairs, one after the other, and votes on them.

A browser is told what the pictures were to show, and nothing that could say who drew which: no
name, no version, no digest, no score. Nor are the sides told once the vote is stored, for the next
pairs were drawn by the same two. The report tells them, and ends the blindness.
"""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from tabard_web.front.said_once import door
from tabard_web.page.errors import FAILURES
from tabard_web.page.visitors import OwnPage, Visitors, require_own_page
from tabard_web.texts import Text

HELD_MAX = 16
"""Most pairs that a page has at hand."""

Label = Literal[
    "prompt_drift", "style_mismatch", "artifact", "copyright", "portrait", "review_failure"
]
Labels = Annotated[list[Label], Field(max_length=6)]
Handles = Annotated[list[Text] | None, Query(max_length=HELD_MAX)]

_PICTURE = {200: {"content": {"image/png": {}}, "description": "The picture."}}


class Turn(BaseModel):
    """What the voter is asked.

    Attributes:
        pair: What the voter calls the pair; empty: there is none left that is not at hand.
        prompt: What both pictures were to show.
        negative_prompt: What they were not to show.
        seed: The seed of both.
        pair_count: How many pairs there are; 0 where there is none left.
        voted_count: On how many of them the voter has voted.
    """

    pair: str = ""
    prompt: str = ""
    negative_prompt: str = ""
    seed: int = 0
    pair_count: int = 0
    voted_count: int = 0


class VoteRequest(BaseModel):
    """Somebody has chosen.

    Attributes:
        ref: The release.
        pair: The pair.
        choice: Which one is better.
        labels_a: What is wrong with A.
        labels_b: What is wrong with B.
        note: Why.
        actor: Who the voter says that they are, where nobody is asked.
    """

    model_config = ConfigDict(extra="forbid")

    ref: Text
    pair: Text
    choice: Literal["a", "b", "tie", "both_bad"]
    labels_a: Labels = []
    labels_b: Labels = []
    note: Text = ""
    actor: Text = ""


class Voted(BaseModel):
    """The vote is stored.

    Attributes:
        pair_count: How many pairs there are.
        voted_count: On how many of them the voter has voted now.
    """

    pair_count: int
    voted_count: int


class PairsDoor:
    """Gives pairs, and takes votes."""

    def __init__(self, visitors: Visitors) -> None:
        self._visitors = visitors

    @property
    def router(self) -> APIRouter:
        """The paths."""
        router = door(prefix="/api/pairs", tags=["page"], responses=FAILURES)
        router.add_api_route("/next", self.next, methods=["GET"])
        router.add_api_route(
            "/picture",
            self.picture,
            methods=["GET"],
            response_class=Response,
            responses=_PICTURE,  # type: ignore[arg-type]
        )
        router.add_api_route("/vote", self.vote, methods=["POST"])
        return router

    async def next(
        self, request: Request, ref: Text, actor: Text = "", held: Handles = None
    ) -> Turn:
        """Give a pair that the voter has not voted on, and does not hold."""
        async with self._visitors.client(request, actor=actor.strip()) as client:
            pair = await client.next_pair(ref, held=held or ())
        if pair is None:
            return Turn()
        return Turn(
            pair=pair.pair,
            prompt=pair.prompt,
            negative_prompt=pair.negative_prompt,
            seed=pair.seed,
            pair_count=pair.pair_count,
            voted_count=pair.voted_count,
        )

    async def picture(
        self, request: Request, ref: Text, pair: Text, side: Literal["a", "b"], actor: Text = ""
    ) -> Response:
        """Give a picture of a pair: the server's PNG, which says nothing but its pixels."""
        async with self._visitors.client(request, actor=actor.strip()) as client:
            png = await client.pair_picture(ref, pair=pair, side=side)
        return Response(png, media_type="image/png")

    async def vote(self, asked: VoteRequest, request: Request, page: OwnPage) -> Voted:
        """Store a vote. The sides are not told."""
        del page
        require_own_page(request)
        async with self._visitors.client(request, actor=asked.actor.strip()) as client:
            done = await client.vote(
                asked.ref,
                asked.choice,
                pair=asked.pair,
                reason=asked.note,
                labels_a=asked.labels_a,
                labels_b=asked.labels_b,
            )
        return Voted(pair_count=done.pair_count, voted_count=done.voted_count)
