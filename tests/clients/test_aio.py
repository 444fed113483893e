# SPDX-License-Identifier: Apache-2.0
"""The asyncio client has the same verbs and raises the same errors."""

import asyncio
import contextlib
import inspect
from pathlib import Path

import pytest

import tabard
from tabard import AsyncClient, Client
from tests.clients.fakes.server import FakeServer
from tests.clients.fakes.state import FakeStatus

INK = "acme/ink@1.0.0"


def _verbs(kind: type) -> dict[str, list[str]]:
    return {
        name: list(inspect.signature(member).parameters)[1:]
        for name, member in inspect.getmembers(kind, inspect.isfunction)
        if not name.startswith("_")
    }


def test_both_clients_have_same_verbs() -> None:
    """Neither client knows a verb or a parameter that the other does not."""
    assert _verbs(AsyncClient) == _verbs(Client)


def test_every_verb_is_documented() -> None:
    """`help()` says what each verb does, on both clients."""
    for kind in (Client, AsyncClient):
        for name in _verbs(kind):
            assert (getattr(kind, name).__doc__ or "").strip(), name


def test_async_walk_through_registry(server: FakeServer, style_file: Path) -> None:
    """Publish, promote, look, generate, yank, operate: all of it awaits."""

    async def walk() -> list[object]:
        async with AsyncClient(server.address, actor="bob") as client:
            await client.publish("acme/a", style_file, version="1.0.0")
            move = await client.promote("acme/a@1.0.0", reason="first")
            result = await client.generate("x", adapters=["acme/a"], num_images=2, seed=3)
            release = await client.resolve("acme/a")
            names = [adapter.name for adapter in await client.list()]
            report = await client.check(style_file)
            warm = await client.warm("acme/a")
            drained = await client.drain()
            await client.yank("acme/a@1.0.0", reason="r")
            await client.unyank("acme/a@1.0.0", reason="r")
            history = await client.history("acme/a")
            adapter = await client.get("acme/a")
            status = await client.status()
            return [
                move.version,
                len(result.images),
                release.version,
                names,
                report.accepted,
                warm.tier,
                drained.jobs_left,
                history[-1].actor,
                adapter.name,
                status.device,
            ]

    seen = asyncio.run(walk())

    assert seen == ["1.0.0", 2, "1.0.0", ["acme/a"], True, "host", 2, "bob", "acme/a", "cpu"]


def test_async_errors_are_typed(server: FakeServer) -> None:
    """The same tree, whoever awaits."""

    async def ask() -> None:
        async with AsyncClient(server.address) as client:
            await client.get("acme/none")

    with pytest.raises(tabard.NotFound) as caught:
        asyncio.run(ask())

    assert caught.value.reason == "ADAPTER_NOT_FOUND"


def test_async_rollback_needs_history(server: FakeServer) -> None:
    """A rollback with nothing before it says so."""

    async def ask() -> None:
        async with AsyncClient(server.address) as client:
            await client.rollback("acme/none", reason="r")

    with pytest.raises(tabard.FailedPrecondition):
        asyncio.run(ask())


def test_async_close_cancels_job(server: FakeServer) -> None:
    """Leaving the iterator frees the row on the server."""
    server.state.step_seconds = 0.02

    async def leave() -> tabard.GenerateEvent:
        async with (
            AsyncClient(server.address) as client,
            contextlib.aclosing(client.stream("x", num_inference_steps=1000)) as events,
        ):
            return await anext(events)

    first = asyncio.run(leave())

    assert isinstance(first, tabard.Accepted)
    assert server.state.cancelled.wait(60)


def test_async_task_cancel_propagates(server: FakeServer) -> None:
    """Cancelling the task that generates cancels the job."""
    server.state.step_seconds = 0.02

    async def cancel() -> bool:
        async with AsyncClient(server.address) as client:
            started = asyncio.Event()
            task = asyncio.create_task(
                client.generate("x", num_inference_steps=1000, on_progress=lambda _: started.set())
            )
            await started.wait()
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            return task.cancelled()

    assert asyncio.run(cancel())
    assert server.state.cancelled.wait(60)


def test_async_watch_yields_records(server: FakeServer, style_file: Path) -> None:
    """Records come through the async iterator."""

    async def first() -> int:
        async with AsyncClient(server.address) as client:
            await client.publish("acme/a", style_file, version="1.0.0")
            async with contextlib.aclosing(client.watch(from_seq=1)) as records:
                return (await anext(records)).seq

    assert asyncio.run(first()) == 1


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


def test_async_verbs_answer(server: FakeServer, stocked: Client) -> None:
    """The new verbs await as they block."""

    async def walk() -> list[object]:
        async with AsyncClient(server.address, actor="bob") as client:
            await client.promote(INK)
            recipe = await client.publish_recipe("acme/mix", [f"{INK}:1"], version="1.0.0")
            return [
                (await client.quarantine(INK, reason="r")).release.quarantined,
                (await client.lift(INK, reason="r")).release.quarantined,
                (await client.purge(INK, reason="r")).release.purged,
                (await client.sign(INK, key_id="k", signature="s")).release.signatures[0].key_id,
                recipe.release.published_by,
                len(await client.search("ink")),
                len((await client.served_at("2030-01-01T00:00:00Z")).servings),
            ]

    assert asyncio.run(walk()) == [True, False, True, "k", "bob", 1, 1]


def test_busy_server_is_waited_for(server: FakeServer, style_file: Path) -> None:
    """An upload and a job are sent again, as by the blocking client, and told of."""
    waits: list[float] = []

    async def walk() -> int:
        async with AsyncClient(
            server.address, on_wait=lambda s, _refusal: waits.append(s)
        ) as client:
            server.state.fail_with = FakeStatus(8, "full", "UPLOADS_BUSY", retry_seconds=0.01)
            server.state.fail_times = 2
            await client.publish("acme/a", style_file, version="1.0.0")
            server.state.fail_times = 2
            return len((await client.generate("x")).images)

    assert asyncio.run(walk()) == 1
    assert len(waits) == 4


def test_closed_client_says_so(server: FakeServer) -> None:
    """It opens no other connection, which nobody would close."""

    async def walk() -> None:
        client = AsyncClient(server.address)
        await client.status()
        await client.close()
        await client.close()
        for ask in (client.status, client.list, lambda: client.generate("x")):
            with pytest.raises(tabard.FailedPrecondition) as caught:
                await ask()
            assert caught.value.reason == "CLIENT_CLOSED"

    asyncio.run(walk())
