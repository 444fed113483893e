# SPDX-License-Identifier: Apache-2.0
"""Releases and channels over real gRPC: publish, promote, roll back, yank, list, history, watch."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc

from tabard.v1 import registry_service_pb2 as pb
from tabard_registry import AdapterRef, Author, Registry
from tests.server.harness import (
    Request,
    iter_parts,
    lora_file,
    publish_parts,
    refusal_of,
    serving,
    small_limits,
    until,
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


def test_bad_file_is_refused_with_report(tmp_path: Path) -> None:
    """What is no safetensors, or fits no module, is refused with reason and remedy."""

    async def walk() -> list[str]:
        reasons = []
        async with serving(tmp_path) as server:
            for content in (b"not safetensors at all", lora_file()[:-8], lora_file(module="nope")):
                parts = publish_parts("acme/ink", "1.0.0", content=content)
                refusal = await refusal_of(server.registry.Publish(iter_parts(parts)))
                assert refusal.code is grpc.StatusCode.INVALID_ARGUMENT
                assert refusal.hint
                assert refusal.fields
                reasons.append(refusal.reason)
            assert server.app.registry.seq == 0
        return reasons

    reasons = asyncio.run(walk())
    assert reasons[-1] == "UNKNOWN_KEYS"
    assert len(set(reasons)) >= 2


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


def test_broken_uploads_are_refused(tmp_path: Path) -> None:
    """Too many bytes, too few, no file, parts out of order: each is told."""
    content = lora_file()
    good = publish_parts("acme/ink", "1.0.0", content=content)
    chunk = pb.PublishRequest(chunk=content)
    cases = {
        "UPLOAD_TOO_LARGE": [
            good[0],
            pb.PublishRequest(file=pb.FileStart(name="a", bytes_total=10_000)),
        ],
        "UPLOAD_INCOMPLETE": good[:2],
        "UPLOAD_EMPTY": good[:1],
        "UPLOAD_BROKEN": [good[0], chunk],
    }

    async def walk() -> dict[str, str]:
        async with serving(tmp_path, limits=small_limits(upload_bytes_max=5_000)) as server:
            return {
                wanted: (await refusal_of(server.registry.Publish(iter_parts(parts)))).reason
                for wanted, parts in cases.items()
            }

    found = asyncio.run(walk())
    assert found == {wanted: wanted for wanted in cases}


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
        assert history.records[-1].actions[0].type == "rollback"
        assert history.records[-1].reason == "looks wrong"
        assert history.records[-1].actor == "tester"

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


def test_rollback_needs_no_blobs(tmp_path: Path) -> None:
    """With every blob gone, a rollback still works."""

    async def walk() -> str:
        async with serving(tmp_path) as server:
            for version in ("1.0.0", "1.1.0"):
                await server.publish("acme/ink", version)
                await server.promote(f"acme/ink@{version}")
            (tmp_path / "registry" / "blob").rename(tmp_path / "gone")
            return str((await server.roll_back("acme/ink")).version)

    assert asyncio.run(walk()) == "1.0.0"


def test_channel_moves_only_to_loadable_release(tmp_path: Path) -> None:
    """A release that cannot be loaded is not promoted; the channel stays."""

    async def walk() -> None:
        async with serving(tmp_path) as server:
            await server.publish("acme/ink")
            server.loader.errors = [MemoryError("full")]
            request = pb.PromoteRequest(ref="acme/ink@1.0.0", actor="t")
            refusal = await refusal_of(server.registry.Promote(request))
            adapter = server.app.registry.state.adapters_after()[0]

        assert refusal.code is grpc.StatusCode.INTERNAL
        assert not adapter.channels

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
                server.generation.Generate(Request(prompt="x", adapters=["acme/ink"]))
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


def test_watch_resumes_from_position(tmp_path: Path) -> None:
    """A watch sends what was there from its position on, then what happens."""

    async def walk() -> list[int]:
        async with serving(tmp_path) as server:
            await server.publish("acme/ink")
            await server.promote("acme/ink@1.0.0")
            call = server.registry.Watch(pb.WatchRequest(from_seq=2))
            seen = [(await call.read()).record.seq]
            await server.publish("acme/pen")
            seen.append((await call.read()).record.seq)
            call.cancel()
            return seen

    assert asyncio.run(walk()) == [2, 3]


def test_other_process_is_followed(tmp_path: Path) -> None:
    """What another process promotes is served after a poll, and watchers hear of it."""

    async def walk() -> str:
        async with serving(tmp_path) as server:
            await server.publish("acme/ink")
            call = server.registry.Watch(pb.WatchRequest(from_seq=2))
            other = Registry.open((tmp_path / "registry").as_uri())
            other.promote(
                AdapterRef.parse("acme/ink@1.0.0"), channel="stable", author=Author(actor="else")
            )
            record = (await call.read()).record
            call.cancel()
            told = await server.generate("x", adapters=["acme/ink"])
            digest = told.accepted.worn[0].digest
            await until(lambda: digest in server.app.cache._favoured)
            return str(record.actor)

    assert asyncio.run(walk()) == "else"


def test_too_many_uploads_are_told_to_wait(tmp_path: Path) -> None:
    """The bound of concurrent uploads is named; when one ends, the next may begin."""
    content = lora_file()
    parts = publish_parts("acme/ink", "1.0.0", content=content)

    async def walk() -> None:
        async with serving(tmp_path, limits=small_limits(uploads_max=1)) as server:
            may_end = asyncio.Event()
            begun = asyncio.Event()

            async def slowly() -> AsyncIterator[Any]:
                yield parts[0]
                begun.set()
                await may_end.wait()
                for part in parts[1:]:
                    yield part

            slow = asyncio.ensure_future(_complete(server.registry.Publish(slowly())))
            await begun.wait()
            refusal = await refusal_of(server.registry.Publish(iter_parts(parts)))
            may_end.set()
            await slow

        assert refusal.code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert refusal.reason == "UPLOADS_BUSY"
        assert refusal.retry_seconds is not None

    asyncio.run(walk())


async def _complete(call: Any) -> Any:
    return await call
