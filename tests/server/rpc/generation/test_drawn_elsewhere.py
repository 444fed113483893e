# SPDX-License-Identifier: Apache-2.0
"""A job whose server was lost is drawn by another one: same seeds, same releases, same base."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest

from tabard.v1 import generation_service_pb2 as pb
from tabard_registry.store.store import Store
from tests.registry.fakes import MemoryStore
from tests.server.fakes import PROFILE, FakeEngine
from tests.server.harness import Request, Server, pixels_of, refs, refusal_of, serving

NEVER = {"poll_seconds": 3600.0}
OWN_BASE = PROFILE.fingerprint
OTHER = replace(PROFILE, fingerprints={"unet": "sha256:" + "c" * 64})


def beside(folder: Path, store: Store, *, profile: Any = PROFILE, **changes: Any) -> Any:
    """Run one of several servers of a store; it hears of what others do when it must."""
    engine = FakeEngine()
    engine.profile = profile
    return serving(folder, store=store, engine=engine, **{**NEVER, **changes})


def again_as(accepted: Any, **changes: Any) -> Any:
    """Say what a job was told, as a client says it to another server."""
    pins = [pb.Pin(ref=one.ref, digest=one.digest) for one in accepted.worn]
    said = {"seed": accepted.seeds[0], "pins": pins, "registry_seq": accepted.registry_seq}
    return pb.Again(**said | changes)


def request(**said: Any) -> Any:
    """Return a request for a channel, without a seed."""
    fields: dict[str, Any] = {"request_id": "once", "num_images": 2, "adapters": refs("acme/ink")}
    return Request(prompt="x", **fields | said)


async def told(server: Server, asked: Any) -> tuple[Any, list[bytes]]:
    """Return how a job was accepted, and its images."""
    events = [event async for event in server.generation.Generate(asked)]
    images = {one.image.index: one.image.content for one in events if one.HasField("image")}
    return events[0].accepted, [images[index] for index in sorted(images)]


def pixels(file: bytes) -> bytes:
    """Return what is drawn."""
    return pixels_of(file).tobytes()


def test_another_server_draws_the_same(tmp_path: Path) -> None:
    """It has not read of the release yet, and the channel has moved: the job wears what it wore."""

    async def walk() -> None:
        store = MemoryStore()
        async with (
            beside(tmp_path / "one", store) as one,
            beside(tmp_path / "other", store) as other,
        ):
            await one.publish("acme/ink", "1.0.0")
            await one.promote("acme/ink@1.0.0")
            first, images = await told(one, request())
            await one.publish("acme/ink", "2.0.0")
            await one.promote("acme/ink@2.0.0")

            second, drawn = await told(other, request(again=again_as(first)))

            # The files differ in one thing: each says up to where its server had read the log.
            assert list(map(pixels, drawn)) == list(map(pixels, images))
            assert [each.version for each in second.worn] == ["1.0.0"]
            assert second.seeds == first.seeds
            assert second.job_id != first.job_id
            assert first.base_fingerprint == second.base_fingerprint == OWN_BASE

    asyncio.run(walk())


def test_what_was_told_is_no_other_request(tmp_path: Path) -> None:
    """A server that still knows the id goes on with its job, and reads nothing of that."""

    async def walk() -> None:
        async with beside(tmp_path, MemoryStore()) as server:
            await server.publish("acme/ink", "1.0.0")
            await server.promote("acme/ink@1.0.0")
            first, images = await told(server, request())

            asked = request(again=again_as(first, seed=5), base=OWN_BASE)
            second, drawn = await told(server, asked)

            assert (second, drawn) == (first, images)

    asyncio.run(walk())


def test_pin_of_another_line_is_not_found(tmp_path: Path) -> None:
    """It is looked up in the line of its ref, like a digest behind it; what is none is told so."""

    async def walk() -> None:
        async with beside(tmp_path, MemoryStore()) as server:
            await server.publish("acme/ink", "1.0.0")
            await server.promote("acme/ink@1.0.0")
            first, _images = await told(server, request())
            strange = pb.Pin(ref="acme/ink", digest="sha256:" + "f" * 64)
            odd = pb.Pin(ref="acme/ink", digest="1.0.0")

            lost = await refusal_of(
                server.generation.Generate(
                    request(request_id="2", again=again_as(first, pins=[strange]))
                )
            )
            none = await refusal_of(
                server.generation.Generate(
                    request(request_id="3", again=again_as(first, pins=[odd]))
                )
            )

            assert lost.code == grpc.StatusCode.NOT_FOUND
            assert none.code == grpc.StatusCode.INVALID_ARGUMENT

    asyncio.run(walk())


def test_forged_positions_share_a_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A position that is none costs a look at the store for all who say it at once."""

    async def walk() -> None:
        store = MemoryStore()
        async with beside(tmp_path, store) as server:
            await server.publish("acme/ink", "1.0.0")
            await server.promote("acme/ink@1.0.0")
            first, _images = await told(server, request())
            polls: list[int] = []
            refresh = server.app.registry.refresh

            def look() -> Any:
                polls.append(1)
                return refresh()

            monkeypatch.setattr(server.app.registry, "refresh", look)

            far = again_as(first, registry_seq=2**63)
            asked = [request(request_id=f"{number}", again=far) for number in range(8)]
            found = await asyncio.gather(*(told(server, one) for one in asked))

            assert len(found) == 8
            assert polls
            assert len(polls) < len(found)

    asyncio.run(walk())


def test_other_base_refuses_and_names_both(tmp_path: Path) -> None:
    """Nothing is drawn on a base that the request does not ask for."""

    async def walk() -> None:
        async with beside(tmp_path, MemoryStore(), profile=OTHER) as server:
            asked = Request(prompt="x", base=OWN_BASE)

            refusal = await refusal_of(server.generation.Generate(asked))
            near = Request(prompt="x", base=OTHER.fingerprint.removeprefix("sha256:")[:12])
            _accepted, images = await told(server, near)

            assert (refusal.code, refusal.reason) == (
                grpc.StatusCode.FAILED_PRECONDITION,
                "BASE_NOT_HERE",
            )
            assert OWN_BASE.removeprefix("sha256:")[:12] in refusal.message
            assert OTHER.fingerprint.removeprefix("sha256:")[:12] in refusal.message
            assert len(images) == 1

    asyncio.run(walk())


def test_strict_server_draws_only_what_is_its_own(tmp_path: Path) -> None:
    """Two bases of one family behind one address: each draws what was checked against it."""

    async def walk() -> None:
        store = MemoryStore()
        async with (
            beside(tmp_path / "one", store) as one,
            beside(tmp_path / "lax", store, profile=OTHER, poll_seconds=0.01) as lax,
            beside(
                tmp_path / "strict", store, profile=OTHER, releases_of="base", poll_seconds=0.01
            ) as strict,
        ):
            await one.publish("acme/ink", "1.0.0")
            await one.promote("acme/ink@1.0.0")
            first, _images = await told(one, request())
            await asyncio.gather(
                *(each.app._follower.reach(first.registry_seq) for each in (lax, strict))
            )

            _accepted, images = await told(lax, request())
            refusal = await refusal_of(strict.generation.Generate(request()))

            assert len(images) == 2
            assert (refusal.code, refusal.reason) == (
                grpc.StatusCode.FAILED_PRECONDITION,
                "RELEASE_OF_OTHER_BASE",
            )
            assert OTHER.fingerprint.removeprefix("sha256:")[:12] in refusal.message

    asyncio.run(walk())
