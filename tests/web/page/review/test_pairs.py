# SPDX-License-Identifier: Apache-2.0
"""Blind pairs as a browser hears of them: nothing says who drew which, before or after a vote."""

import asyncio
from typing import Any, Literal

import httpx
import pytest

from tabard_web.page.review.pairs import PairsDoor, VoteRequest
from tests.server.reviewing.calls_made import calls_made
from tests.web.page.review.registries import FakeRegistry, FakeVisitors, request

SECRETS = ("acme", "3.0.0", "d" * 64, "candidate", "baseline")


def door() -> tuple[PairsDoor, FakeRegistry, FakeVisitors]:
    registry = FakeRegistry()
    visitors = FakeVisitors(registry)
    return PairsDoor(visitors), registry, visitors  # type: ignore[arg-type]


def test_pair_is_told_without_names() -> None:
    """What both were to show, and how far the voter is."""
    pairs, registry, visitors = door()

    told = asyncio.run(pairs.next(request(), "acme/ink@3.0.0", actor=" bob "))
    text = told.model_dump_json()

    assert (told.pair, told.prompt, told.seed) == ("pair", "a <b>cat", 7)
    assert (told.pair_count, told.voted_count) == (16, 3)
    assert not [one for one in SECRETS if one in text]
    assert (registry.asked, visitors.actors) == ([("next", "acme/ink@3.0.0", ())], ["bob"])


def test_last_pair_at_hand_leaves_none() -> None:
    """What the page holds is not given again."""
    pairs, registry, _ = door()

    told = asyncio.run(pairs.next(request(), "acme/ink@3.0.0", held=["pair"]))

    assert told.pair == ""
    assert registry.asked == [("next", "acme/ink@3.0.0", ("pair",))]


def test_picture_is_the_servers() -> None:
    """To the byte, with the same headers whichever side it is."""
    pairs, _, _ = door()

    a, b = (
        asyncio.run(pairs.picture(request(), "acme/ink@3.0.0", "pair", side))
        for side in ("a", "b")  # type: ignore[arg-type]
    )

    assert (a.body, b.body) == (b"png a", b"png b")
    assert a.headers == b.headers


def test_sides_are_not_told_after_a_vote() -> None:
    """The next pairs were drawn by the same two."""
    pairs, registry, visitors = door()
    asked = VoteRequest(
        ref="acme/ink@3.0.0",
        pair="pair",
        choice="both_bad",
        labels_a=["artifact"],
        labels_b=["portrait", "prompt_drift"],
        note="<script>",
        actor="bob",
    )

    told = asyncio.run(pairs.vote(asked, request(), "1"))

    assert told.model_dump() == {"pair_count": 16, "voted_count": 4}
    said: dict[str, Any] = {
        "reason": "<script>",
        "labels_a": ["artifact"],
        "labels_b": ["portrait", "prompt_drift"],
    }
    assert registry.asked == [("vote", "acme/ink@3.0.0", "both_bad", "pair", said)]
    assert visitors.actors == ["bob"]


@pytest.mark.parametrize(
    "more", [{"choice": "c"}, {"labels_a": ["ugly"]}, {"labels_a": ["artifact"] * 7}, {"side": "a"}]
)
def test_vote_is_refused_that_is_none(web: httpx.Client, more: dict[str, Any]) -> None:
    """Before the server hears of it."""
    asked = {"ref": "acme/ink", "pair": "pair", "choice": "a", **more}

    answer = web.post("/api/pairs/vote", json=asked, headers={"X-Tabard-Page": "1"})

    assert (answer.status_code, answer.json()["error"]["reason"]) == (400, "FIELD_INVALID")


def test_forged_vote_is_refused(web: httpx.Client) -> None:
    """No form can vote."""
    asked = {"ref": "acme/ink", "pair": "pair", "choice": "a"}

    assert web.post("/api/pairs/vote", json=asked).status_code == 400


def test_either_side_is_the_same_work() -> None:
    """The same calls in the same order, asked for again too: no side is kept, or made anew."""
    pairs, registry, _ = door()

    async def watch(side: Literal["a", "b"]) -> tuple[list[str], list[tuple[str, str]]]:
        with calls_made() as calls:
            answer = await pairs.picture(request(), "acme/ink@3.0.0", "pair", side)
        kept = {"content-length"}
        headers = [(name, value) for name, value in answer.headers.items() if name not in kept]
        return calls, headers

    works = [asyncio.run(watch(side)) for side in ("a", "b", "b", "a")]

    assert works[0][0]
    assert all(one == works[0] for one in works)
    assert [one[-1] for one in registry.asked] == ["a", "b", "b", "a"]
