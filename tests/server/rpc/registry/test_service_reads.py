# SPDX-License-Identifier: Apache-2.0
"""What callers ask of the registry over gRPC: the past, words, manifests, how releases stand."""

import asyncio
import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest

from tabard.v1 import adapter_pb2
from tabard.v1 import registry_service_pb2 as pb
from tests.server.harness import Refusal, Server, refusal_of, serving

INK = "acme/ink@1.0.0"


async def stock(server: Server) -> None:
    """Publish, promote, roll back, withdraw: something of everything."""
    for version in ("1.0.0", "1.1.0"):
        await server.publish("acme/ink", version, notes="black lines", reason="asked for")
        await server.promote(f"acme/ink@{version}")
    await server.publish("acme/pen")
    await server.promote("acme/pen@1.0.0", channel="canary")
    await server.publish_recipe("acme/mix", f"{INK}:0.5", "acme/pen@1.0.0:0.5")
    await server.roll_back("acme/ink")
    await server.registry.Yank(pb.YankRequest(ref=INK, reason="muddy", actor="t"))
    await server.quarantine("acme/pen@1.0.0")


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Everything that one server answers, by question."""

    async def walk() -> dict[str, Any]:
        folder = tmp_path_factory.mktemp("questions")
        async with serving(folder) as server:
            await stock(server)
            ask = server.registry
            now = datetime.now(UTC)
            moves = (await ask.History(pb.HistoryRequest(channel="stable"))).records[::-1]
            second = moves[1].time
            return {
                "moves": moves,
                "all": (await ask.History(pb.HistoryRequest())).records,
                "newest": (await ask.History(pb.HistoryRequest(page_size=1))).records,
                "since": (await ask.History(pb.HistoryRequest(since=second))).records,
                "until": (
                    await ask.History(pb.HistoryRequest(adapter="acme/ink", until=second))
                ).records,
                "served then": await ask.ServedAt(pb.ServedAtRequest(time=second)),
                "served now": await ask.ServedAt(
                    pb.ServedAtRequest(time=now + timedelta(days=1), page_size=1)
                ),
                "served one": await ask.ServedAt(
                    pb.ServedAtRequest(time=now, adapter="acme/pen", channel="canary")
                ),
                "hits": (await ask.Search(pb.SearchRequest(words="black"))).hits,
                "manifest": await ask.GetManifest(pb.GetManifestRequest(ref=INK)),
                "ink": (await _resolve(server, "acme/ink", include=True)).release,
                "pen": (await _resolve(server, "acme/pen@canary", include=True)).release,
                "mix": (await _resolve(server, "acme/mix@1.0.0")).release,
                "refused pen": await refusal_of(_resolve(server, "acme/pen@canary")),
                "range": (await _resolve(server, "acme/ink@^1")).release,
                "no time": await refusal_of(ask.ServedAt(pb.ServedAtRequest())),
                "bad time": await refusal_of(ask.ServedAt(pb.ServedAtRequest(time={"nanos": -1}))),
                "last day": await refusal_of(
                    ask.History(pb.HistoryRequest(since={"seconds": 1 << 62}))
                ),
                "bad token": await refusal_of(
                    ask.History(pb.HistoryRequest(page_token="acme/ink"))
                ),
                "bad size": await refusal_of(
                    ask.ListAdapters(pb.ListAdaptersRequest(page_size=-1))
                ),
                "nobody": await refusal_of(ask.History(pb.HistoryRequest(adapter="acme/no"))),
                "no channel": await refusal_of(
                    ask.History(pb.HistoryRequest(adapter="acme/ink", channel="stabel"))
                ),
            }

    return asyncio.run(walk())


async def _resolve(server: Server, ref: str, *, include: bool = False) -> Any:
    return await server.registry.Resolve(pb.ResolveRequest(ref=ref, include_withdrawn=include))


def test_history_of_a_channel(told: dict[str, Any]) -> None:
    """The moves of one channel; ids are not known in a history."""
    kind = adapter_pb2.ActionType.Name
    moves = [(kind(one.actions[0].type)[12:], one.actions[0].version) for one in told["moves"]]

    assert moves == [("PROMOTE", "1.0.0"), ("PROMOTE", "1.1.0"), ("ROLLBACK", "1.0.0")]
    assert {one.id for one in told["moves"]} == {""}
    assert told["moves"][-1].actions[0].reason == "looks wrong"
    assert told["moves"][-1].actions[0].actor == "tester"


def test_history_of_everything(told: dict[str, Any]) -> None:
    """Every act is there once; the newest so many can be asked for."""
    assert [one.seq for one in told["all"]] == list(range(10, 0, -1))
    assert [one.seq for one in told["newest"]] == [10]
    assert told["newest"][0].actions[0].type == adapter_pb2.ACTION_TYPE_QUARANTINE
    assert told["all"][-1].reason == "asked for"


def test_history_between_times(told: dict[str, Any]) -> None:
    """From the second promotion on, and up to it."""
    assert [one.seq for one in told["since"]] == list(range(10, 3, -1))
    assert [one.seq for one in told["until"]] == [4, 3, 2, 1]


def test_served_at_a_time(told: dict[str, Any]) -> None:
    """What was served when the second release had just been promoted, and by whom."""
    (serving_then,) = told["served then"].servings

    assert (serving_then.adapter, serving_then.channel) == ("acme/ink", "stable")
    assert serving_then.release.version == "1.1.0"
    assert serving_then.since.actions[0].type == adapter_pb2.ACTION_TYPE_PROMOTE
    assert serving_then.since.seq == 4


def test_served_now_is_bounded(told: dict[str, Any]) -> None:
    """Two channels are served, one was asked for, and that is said."""
    assert len(told["served now"].servings) == 1
    assert told["served now"].next_page_token
    assert told["served now"].servings[0].release.version == "1.0.0"
    assert told["served one"].servings[0].release.quarantined
    assert not told["served one"].next_page_token


def test_search_finds_words(told: dict[str, Any]) -> None:
    """A word of the notes finds the line, with how many releases it has."""
    (hit,) = told["hits"]

    assert (hit.adapter, hit.release_count) == ("acme/ink", 2)
    assert "black" in hit.snippet


def test_manifest_has_the_digest(told: dict[str, Any]) -> None:
    """The bytes are what the digest is of, and name the release."""
    answer = told["manifest"]

    assert answer.release.digest == f"sha256:{hashlib.sha256(answer.manifest).hexdigest()}"
    assert json.loads(answer.manifest)["adapter"] == "acme/ink"


def test_release_tells_how_it_stands(told: dict[str, Any]) -> None:
    """Yank and quarantine with their reasons, and why it was published."""
    ink, pen = told["ink"], told["pen"]

    assert (ink.yanked, ink.yank_reason, ink.publish_reason) == (True, "muddy", "asked for")
    assert (pen.quarantined, pen.quarantine_reason) == (True, "stolen")


def test_recipe_flags_withdrawn_members(told: dict[str, Any]) -> None:
    """A yanked and a quarantined member flag the recipe that uses them."""
    mix = told["mix"]

    assert list(mix.troubled_members) == [INK, "acme/pen@1.0.0"]
    assert [(one.adapter, one.weight) for one in mix.members] == [
        ("acme/ink", 0.5),
        ("acme/pen", 0.5),
    ]


def test_withdrawn_is_resolved_only_when_meant(told: dict[str, Any]) -> None:
    """Without the word, a quarantined release is refused; a range passes yanked ones over."""
    assert told["refused pen"].reason == "RELEASE_QUARANTINED"
    assert told["range"].version == "1.1.0"


@pytest.mark.parametrize(
    ("question", "reason", "code"),
    [
        ("no time", "FIELD_REQUIRED", grpc.StatusCode.INVALID_ARGUMENT),
        ("bad time", "TIME_INVALID", grpc.StatusCode.INVALID_ARGUMENT),
        ("last day", "TIME_INVALID", grpc.StatusCode.INVALID_ARGUMENT),
        ("bad token", "PAGE_TOKEN_INVALID", grpc.StatusCode.INVALID_ARGUMENT),
        ("bad size", "PAGE_SIZE_INVALID", grpc.StatusCode.INVALID_ARGUMENT),
        ("nobody", "ADAPTER_NOT_FOUND", grpc.StatusCode.NOT_FOUND),
        ("no channel", "CHANNEL_NOT_FOUND", grpc.StatusCode.NOT_FOUND),
    ],
)
def test_wrong_question_is_told(
    told: dict[str, Any], question: str, reason: str, code: grpc.StatusCode
) -> None:
    """What is no time, no token or no size, an adapter or a channel that is not there."""
    refusal: Refusal = told[question]

    assert (refusal.reason, refusal.code) == (reason, code)
    assert refusal.hint


def test_purged_manifest_is_gone(tmp_path: Path) -> None:
    """The record stays, the bytes do not."""

    async def walk() -> tuple[Any, Refusal]:
        async with serving(tmp_path) as server:
            await server.publish("acme/ink")
            release = await server.purge(INK)
            server.app.registry._manifest.cache_clear()
            request = pb.GetManifestRequest(ref=INK)
            return release, await refusal_of(server.registry.GetManifest(request))

    release, refusal = asyncio.run(walk())
    assert (release.purged, release.purge_reason) == (True, "asked for")
    assert refusal.reason == "RELEASE_PURGED"
