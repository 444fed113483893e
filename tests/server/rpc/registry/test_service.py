# SPDX-License-Identifier: Apache-2.0
"""Releases and channels over real gRPC: publish, promote, roll back, yank, list, history, watch."""

import asyncio
from pathlib import Path
from typing import Any

import grpc

from tabard.v1 import adapter_pb2
from tabard.v1 import registry_service_pb2 as pb
from tests.server.harness import (
    Request,
    iter_parts,
    lora_file,
    publish_parts,
    refs,
    refusal_of,
    serving,
)


def test_publish_is_idempotent(tmp_path: Path) -> None:
    """The same bytes again are the same release; other bytes are refused."""

    async def walk() -> None:
        async with serving(tmp_path) as server:
            first = await server.publish("acme/ink", content=lora_file(seed_text="a"))
            again = await server.publish("acme/ink", content=lora_file(seed_text="a"))
            parts = publish_parts("acme/ink", "1.0.0", content=lora_file(seed_text="b"))
            refusal = await refusal_of(server.registry.Publish(iter_parts(parts)))

        assert (first.created, again.created) == (True, False)
        assert first.release == again.release
        assert first.report.accepted
        assert (refusal.code, refusal.reason) == (
            grpc.StatusCode.ALREADY_EXISTS,
            "VERSION_EXISTS",
        )

    asyncio.run(walk())


def test_check_reports_without_publishing(tmp_path: Path) -> None:
    """A check says what publishing would say, and leaves nothing."""

    async def walk() -> Any:
        async with serving(tmp_path) as server:
            content = lora_file()
            parts = [
                pb.CheckRequest(file=pb.FileStart(name="a", bytes_total=len(content))),
                pb.CheckRequest(chunk=content),
            ]
            response = await server.registry.Check(iter_parts(parts))
            assert server.app.registry.seq == 0
            return response.report

    report = asyncio.run(walk())
    assert report.accepted
    assert report.tensors_applied == report.tensor_count == 2


def test_rollback_returns_to_release_before(tmp_path: Path) -> None:
    """After a rollback the channel wears the earlier release, and history says who and why."""

    async def walk() -> None:
        async with serving(tmp_path) as server:
            for version in ("1.0.0", "1.1.0"):
                await server.publish("acme/ink", version)
                await server.promote(f"acme/ink@{version}")
            move = await server.roll_back("acme/ink")
            told = await server.generate("x", adapters=["acme/ink"])
            history = await server.registry.History(pb.HistoryRequest(adapter="acme/ink"))

        assert (move.previous_version, move.version) == ("1.1.0", "1.0.0")
        assert told.accepted.worn[0].version == "1.0.0"
        assert history.records[0].actions[0].type == adapter_pb2.ACTION_TYPE_ROLLBACK
        assert history.records[0].reason == "looks wrong"
        assert history.records[0].actor == "tester"

    asyncio.run(walk())


def test_rollback_with_nothing_before_is_refused(tmp_path: Path) -> None:
    """There is nothing to go back to after the first promotion."""

    async def walk() -> None:
        async with serving(tmp_path) as server:
            await server.publish("acme/ink")
            await server.promote("acme/ink@1.0.0")
            request = pb.RollbackRequest(adapter="acme/ink", reason="x", actor="t")
            refusal = await refusal_of(server.registry.Rollback(request))

        assert refusal.code is grpc.StatusCode.FAILED_PRECONDITION
        assert refusal.reason == "NOTHING_TO_ROLL_BACK"

    asyncio.run(walk())


def test_stale_expectation_is_refused(tmp_path: Path) -> None:
    """A promotion that expects an absent channel fails once it exists."""

    async def walk() -> None:
        async with serving(tmp_path) as server:
            await server.publish("acme/ink")
            request = pb.PromoteRequest(ref="acme/ink@1.0.0", actor="t", expect_digest="none")
            first = await server.registry.Promote(request)
            await server.publish("acme/ink", "1.1.0")
            request.ref = "acme/ink@1.1.0"
            refusal = await refusal_of(server.registry.Promote(request))

        assert first.move.moved
        assert refusal.reason == "EXPECT_MISMATCH"

    asyncio.run(walk())


def test_yanked_release_is_refused_by_channel(tmp_path: Path) -> None:
    """A yank stops resolution by channel; the exact version works on; unyank undoes it."""

    async def walk() -> None:
        async with serving(tmp_path) as server:
            await server.publish("acme/ink")
            await server.promote("acme/ink@1.0.0")
            yank = pb.YankRequest(ref="acme/ink@1.0.0", reason="broken", actor="t")
            assert (await server.registry.Yank(yank)).release.yanked
            refusal = await refusal_of(
                server.generation.Generate(Request(prompt="x", adapters=refs("acme/ink")))
            )
            exact = await server.generate("x", adapters=["acme/ink@1.0.0"])
            unyank = pb.UnyankRequest(ref="acme/ink@1.0.0", reason="fine", actor="t")
            assert not (await server.registry.Unyank(unyank)).release.yanked

        assert refusal.reason == "RELEASE_YANKED"
        assert "broken" in refusal.message
        assert exact.kinds[-1] == "done"

    asyncio.run(walk())


def test_adapters_are_listed_in_pages(tmp_path: Path) -> None:
    """Pages follow one another without gaps."""

    async def walk() -> list[str]:
        names, token = [], ""
        async with serving(tmp_path) as server:
            for name in ("acme/a", "acme/b", "acme/c"):
                await server.publish(name)
            while True:
                request = pb.ListAdaptersRequest(page_size=2, page_token=token)
                page = await server.registry.ListAdapters(request)
                names += [adapter.name for adapter in page.adapters]
                token = page.next_page_token
                if not token:
                    return names

    assert asyncio.run(walk()) == ["acme/a", "acme/b", "acme/c"]


def test_resolve_and_get_agree(tmp_path: Path) -> None:
    """Resolve gives the release the channel shows."""

    async def walk() -> None:
        async with serving(tmp_path) as server:
            await server.publish("acme/ink")
            await server.promote("acme/ink@1.0.0", channel="canary")
            resolved = await server.registry.Resolve(pb.ResolveRequest(ref="acme/ink@canary"))
            got = await server.registry.GetAdapter(pb.GetAdapterRequest(adapter="acme/ink"))

        assert resolved.release.digest == got.adapter.channels[0].digest
        assert resolved.registry_seq == 2

    asyncio.run(walk())
