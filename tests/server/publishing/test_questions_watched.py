# SPDX-License-Identifier: Apache-2.0
"""Records as they happen: from any position, each once, and told where to go on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

import pytest

from tabard_registry import EVERYTHING, Author, Grants, Registry
from tabard_server.errors import WatchEnded
from tabard_server.followers.follower import Follower
from tabard_server.publishing.questions import Questions
from tests.registry.fakes import MemoryStore
from tests.server.followers.written_records import act
from tests.server.publishing.asked import questioning


@asynccontextmanager
async def watching(*, records: int) -> AsyncIterator[tuple[Questions, Registry, Follower]]:
    """Give what is asked over a registry that has some records already."""
    registry = Registry.open(MemoryStore())
    for number in range(records):
        act(registry, flag=number % 2 == 0)
    async with questioning(registry) as (asked, follower):
        yield asked, registry, follower
    registry.close()


def test_watch_begins_where_asked() -> None:
    """Old records from the log, then new ones as they happen, none twice."""

    async def walk() -> list[int]:
        async with (
            watching(records=3) as (asked, registry, follower),
            aclosing(asked.records(from_seq=2)) as found,
        ):
            seen = [(await anext(found)).seq for _ in range(2)]
            act(registry, flag=False)
            await follower.catch_up()
            return [*seen, (await anext(found)).seq]

    assert asyncio.run(walk()) == [2, 3, 4]


def test_zero_begins_with_the_next() -> None:
    """Who names no position hears of nothing that was before."""

    async def walk() -> int:
        async with (
            watching(records=3) as (asked, registry, follower),
            aclosing(asked.records(from_seq=0)) as found,
        ):
            next_one = asyncio.ensure_future(anext(found))
            await asyncio.sleep(0)
            act(registry, flag=False)
            await follower.catch_up()
            return (await next_one).seq

    assert asyncio.run(walk()) == 4


def test_watch_passes_over_what_is_for_nobody() -> None:
    """Acts on tokens, and for who is outside those in a private namespace; the next one comes."""

    async def walk() -> list[tuple[int, str]]:
        async with (
            watching(records=1) as (asked, registry, _follower),
            aclosing(asked.records(from_seq=1, grants=Grants({}))) as found,
        ):
            author = Author(actor="owner", reason="asked")
            registry.create_token("ci", grants=EVERYTHING, author=author)
            registry.set_policy("guild", private=True, author=author)
            registry.set_policy("other", require_signature=True, author=author)
            return [((one := await anext(found)).seq, one.record.actor) for _ in range(2)]

    assert asyncio.run(walk()) == [(1, "t"), (4, "owner")]


def test_end_says_where_to_go_on() -> None:
    """A server that stops ends its watches, and nothing is lost when they are resumed."""

    async def walk() -> WatchEnded:
        async with (
            watching(records=3) as (asked, _registry, follower),
            aclosing(asked.records(from_seq=1)) as found,
        ):
            for _ in range(3):
                await anext(found)
            follower.close()
            with pytest.raises(WatchEnded) as caught:
                await anext(found)
            return caught.value

    ended = asyncio.run(walk())

    assert "seq 4" in ended.hint
    assert ended.retry_seconds == 1.0
