# SPDX-License-Identifier: Apache-2.0
"""Standings, recipes, signatures, search and the past, as the SDK gives them."""

import asyncio
import contextlib
import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

import tabard
from tabard import AsyncClient, Client
from tests.clients.fakes.server import FakeServer

INK = "acme/ink@1.0.0"


@pytest.fixture
def stocked(client: Client, style_file: Path) -> Client:
    """Publish a style, and give the client."""
    client.publish("acme/ink", style_file, version="1.0.0", notes="black", reason="new")
    return client


def test_quarantine_carries_reason(stocked: Client) -> None:
    """Both ways, and each with a key of its own."""
    held = stocked.quarantine(INK, reason="a signature in it")
    lifted = stocked.lift(INK, reason="cleared")

    assert (held.quarantined, held.quarantine_reason) == (True, "a signature in it")
    assert (lifted.quarantined, lifted.quarantine_reason) == (False, "")


def test_purge_carries_reason(stocked: Client) -> None:
    """The release is still there to be looked at."""
    purged = stocked.purge(INK, reason="asked for")

    assert (purged.purged, purged.purge_reason) == (True, "asked for")


def test_every_act_has_a_key(stocked: Client, server: FakeServer) -> None:
    """An act that is sent twice by the transport happens once."""
    stocked.yank(INK, reason="r")
    stocked.unyank(INK, reason="r")
    stocked.quarantine(INK, reason="r")
    stocked.lift(INK, reason="r")
    stocked.purge(INK, reason="r")
    stocked.sign(INK, key_id="k", signature="s")

    keys = [request.request_id for request in server.state.requests]
    assert all(keys)
    assert len(set(keys)) == len(keys)


def test_recipe_locks_members(stocked: Client) -> None:
    """Members come back with digest and weight; a withdrawn one flags the recipe."""
    ink = stocked.quarantine(INK, reason="r")

    published = stocked.publish_recipe(
        "acme/mix", [f"{INK}:0.5"], version="1.0.0", reason="for the book"
    )

    member = tabard.Member(adapter="acme/ink", version="1.0.0", digest=ink.digest, weight=0.5)
    assert (published.created, published.release.kind) == (True, "recipe")
    assert published.release.members == (member,)
    assert published.release.troubled_members == (INK,)
    assert published.release.publish_reason == "for the book"


def test_search_counts_releases(stocked: Client) -> None:
    """A hit says where the words stand and how much there is."""
    hits = stocked.search("black", limit=3)

    assert hits == (tabard.SearchHit(adapter="acme/ink", snippet="black", release_count=1),)


def test_served_at_names_the_act(stocked: Client, server: FakeServer) -> None:
    """What was served, since when and by whom; that there is more is not hidden."""
    stocked.promote(INK, reason="first")
    moment = datetime(2030, 1, 1, 12, tzinfo=UTC)

    served = stocked.served_at(moment, name="acme/ink", channel="stable")

    assert served.is_truncated
    assert served.servings[0].release.version == "1.0.0"
    assert served.servings[0].since.actions[0].reason == "first"
    assert server.state.requests[-1].time == "2030-01-01T12:00:00+00:00"


def test_history_takes_times(stocked: Client, server: FakeServer) -> None:
    """Texts go as they are, aware datetimes as RFC 3339."""
    stocked.history(since="2030-01-01T00:00:00Z", until=datetime(2031, 1, 1, tzinfo=UTC))

    request = server.state.requests[-1]
    assert (request.since, request.until) == ("2030-01-01T00:00:00Z", "2031-01-01T00:00:00+00:00")


def test_naive_time_is_refused(stocked: Client) -> None:
    """Nobody guesses what a time without an offset means."""
    with pytest.raises(tabard.InvalidArgument) as caught:
        stocked.served_at(datetime(2030, 1, 1))

    assert caught.value.reason == "TIME_INVALID"


def test_manifest_is_checked(stocked: Client, server: FakeServer) -> None:
    """Bytes that do not have the release's digest are never handed out."""
    content = json.dumps({"original": [{"sha256": "sha256:" + "a" * 64}]}).encode()
    server.state.manifest = content
    with pytest.raises(tabard.Internal) as caught:
        stocked.manifest(INK)

    server.state.releases["acme/ink"][0].digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    manifest = stocked.manifest(INK)

    assert caught.value.reason == "MANIFEST_DAMAGED"
    assert manifest.original_digests == ("sha256:" + "a" * 64,)


def test_watch_goes_on_after_a_break(stocked: Client, server: FakeServer) -> None:
    """The stream breaks after every record; none is missed, none comes twice."""
    stocked.promote(INK)
    stocked.promote(INK, channel="canary")
    server.state.watch_breaks = 2

    with contextlib.closing(stocked.watch(from_seq=1)) as records:
        seen = [next(records).seq for _ in range(3)]

    assert seen == [1, 2, 3]
    assert server.state.watch_breaks == 0


def test_watch_of_the_new_goes_on(stocked: Client, server: FakeServer) -> None:
    """Without a position, what came while the server was away is not missed either."""
    server.state.watch_breaks = 1

    async def walk() -> list[int]:
        async with (
            AsyncClient(server.address) as client,
            contextlib.aclosing(client.watch()) as records,
        ):
            first = asyncio.ensure_future(anext(records))
            while not any(hasattr(r, "from_seq") for r in server.state.requests):
                await asyncio.sleep(0.01)
            await client.promote(INK)
            await client.promote(INK, channel="canary")
            return [(await first).seq, (await anext(records)).seq]

    assert asyncio.run(walk()) == [2, 3]


def test_watch_gives_up(stocked: Client, server: FakeServer) -> None:
    """Without patience the break is told."""
    server.state.watch_breaks = 1

    with contextlib.closing(stocked.watch(from_seq=1, patience_seconds=0.0)) as records:
        next(records)
        with pytest.raises(tabard.Unavailable) as caught:
            next(records)

    assert caught.value.reason == "WATCH_ENDED"


def test_async_verbs_answer(server: FakeServer, stocked: Client) -> None:
    """The new verbs await as they block."""

    async def walk() -> list[object]:
        async with AsyncClient(server.address, actor="bob") as client:
            await client.promote(INK)
            recipe = await client.publish_recipe("acme/mix", [f"{INK}:1"], version="1.0.0")
            return [
                (await client.quarantine(INK, reason="r")).quarantined,
                (await client.lift(INK, reason="r")).quarantined,
                (await client.purge(INK, reason="r")).purged,
                (await client.sign(INK, key_id="k", signature="s")).signatures[0].key_id,
                recipe.release.published_by,
                len(await client.search("ink")),
                len((await client.served_at("2030-01-01T00:00:00Z")).servings),
            ]

    assert asyncio.run(walk()) == [True, False, True, "k", "bob", 1, 1]
