# SPDX-License-Identifier: Apache-2.0
"""Pictures of a release that was published: drawn behind everybody else, kept beside it."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tabard_registry import AdapterRef, Author
from tabard_registry.evidence.documents import Previews
from tabard_registry.identity.roles import Grants, Role
from tabard_registry.upkeep.garbage import collect
from tabard_server.access.settings import IdentitySettings
from tabard_server.scheduler.claims import Priority
from tests.server.fakes import FakeEngine
from tests.server.harness import Server, iter_parts, lora_file, publish_parts, serving, until

REF = AdapterRef.parse("acme/ink@1.0.0")
ROOT = Author(actor="root", reason="for a test")


async def shown(server: Server, ref: AdapterRef = REF) -> Previews:
    """Wait for the previews of a release."""
    registry = server.app.registry
    await until(lambda: registry.state.find(ref).health.newest("previews") is not None)
    kept = registry.evidence.newest(ref, kind="previews")
    assert kept is not None
    assert isinstance(kept.document, Previews)
    return kept.document


def test_published_release_is_shown(tmp_path: Path) -> None:
    """Four prompts of its default grid, one seed, by who published it; a collection spares them."""

    async def walk() -> None:
        async with serving(tmp_path) as server:
            await server.publish("acme/ink", purpose="PURPOSE_STYLE", previews=True)
            document = await shown(server)
            registry = server.app.registry
            collect(registry, min_age_seconds=0, dry_run=False, author=ROOT)

            note = registry.state.find(REF).health.newest("previews")
            assert note is not None
            assert note.told.actor == "tester"
            assert [cell.prompt for cell in document.cells] == [0, 4, 8, 12]
            assert {cell.seed for cell in document.cells} == {11}
            assert len(set(document.pictures)) == 4
            assert all(map(registry.blobs.is_there, document.blobs))
            assert document.grid in document.blobs

    asyncio.run(walk())


def test_nobody_waits_for_previews(tmp_path: Path) -> None:
    """The release is published at once; what shows it is drawn in the background class."""
    engine = FakeEngine()
    engine.hold_steps()

    async def walk() -> None:
        async with serving(tmp_path, engine=engine) as server:
            answer = await server.publish("acme/ink", previews=True)
            await until(lambda: engine.open_count > 0)

            assert answer.created
            health = server.app.registry.state.find(REF).health
            assert health.newest("previews") is None
            runs = list(server.app.loop._roster.runs())
            assert {run.job.priority for run in runs} == {Priority.BACKGROUND}
            engine.let_go()
            await shown(server)

    asyncio.run(walk())


@pytest.mark.parametrize("asked", [False, True])
@pytest.mark.parametrize("is_for_all", [False, True])
def test_previews_are_asked_for(tmp_path: Path, asked: bool, is_for_all: bool) -> None:
    """By who publishes, or for all of them by a setting; else nothing is drawn."""
    engine = FakeEngine()

    async def walk() -> None:
        async with serving(tmp_path, engine=engine, previews_at_publish=is_for_all) as server:
            await server.publish("acme/ink", previews=asked)
            if asked or is_for_all:
                await shown(server)
                return
            await server.generate()
            drawn = {spec.drawing.prompt for batch in engine.batches for spec in batch}
            assert drawn == {"a red circle"}

    asyncio.run(walk())


def test_previews_are_drawn_once(tmp_path: Path) -> None:
    """Published again with them, there is nothing to do; a release without gets its own then."""
    engine = FakeEngine()

    async def walk() -> None:
        async with serving(tmp_path, engine=engine) as server:
            await server.publish("acme/ink")
            await server.publish("acme/ink", previews=True)
            await shown(server)
            count = len(engine.batches)
            again = await server.publish("acme/ink", previews=True)
            await server.generate(num_inference_steps=1)

            assert not again.created
            assert len(engine.batches) == count + 1
            assert len(server.app.registry.state.find(REF).health.evidence) == 1

    asyncio.run(walk())


def test_recipe_is_shown(tmp_path: Path) -> None:
    """As any release."""

    async def walk() -> None:
        async with serving(tmp_path, previews_at_publish=True) as server:
            await server.publish("acme/ink")
            await server.publish_recipe("acme/both", "acme/ink@1.0.0:0.5")

            found = await shown(server, AdapterRef.parse("acme/both@1.0.0"))

            assert found.release.kind == "recipe"

    asyncio.run(walk())


def test_what_cannot_be_drawn_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The release is published all the same; the log says why it is not shown."""

    async def walk() -> None:
        async with serving(tmp_path) as server:
            registry = server.app.registry
            registry.set_policy("acme", require_signature=True, author=ROOT)
            await server.publish("acme/ink", previews=True)
            await until(lambda: bool(events(caplog, "previews.not_drawn")))

            assert registry.state.find(REF).health.newest("previews") is None

    asyncio.run(walk())
    (event,) = events(caplog, "previews.not_drawn")
    assert (event["release"], event["reason"]) == ("acme/ink@1.0.0", "SIGNATURE_REQUIRED")


def test_publisher_needs_no_other_role(tmp_path: Path) -> None:
    """Who may publish may have it shown, where callers show who they are; under their name."""

    async def walk() -> None:
        identity = IdentitySettings(tokens=True)
        async with serving(tmp_path, identity=identity) as server:
            grants = Grants({"acme": frozenset({Role.PUBLISH})})
            token = server.app.registry.create_token("ben", grants=grants, author=ROOT)
            parts = publish_parts("acme/ink", "1.0.0", content=lora_file(), previews=True)
            bearer = [("authorization", f"Bearer {token.secret}")]
            await server.registry.Publish(iter_parts(parts), metadata=bearer)
            await shown(server)

            note = server.app.registry.state.find(REF).health.newest("previews")
            assert note is not None
            assert (note.told.actor, note.told.on_behalf_of) == ("ben", "tester")

    asyncio.run(walk())


def test_stopped_server_draws_no_more(tmp_path: Path) -> None:
    """What was not drawn is asked for again, when the release is published again."""
    engine = FakeEngine()
    engine.hold_steps()

    async def walk() -> None:
        async with serving(tmp_path, engine=engine) as server:
            await server.publish("acme/ink", previews=True)
            await until(lambda: engine.open_count > 0)
            server.app._health.previews.close()
            engine.let_go()
            await until(lambda: server.app.generation.jobs_left == 0)
            assert server.app.registry.state.find(REF).health.newest("previews") is None

            await server.publish("acme/ink", previews=True)
            await shown(server)

    asyncio.run(walk())


def events(caplog: pytest.LogCaptureFixture, name: str) -> list[dict[str, Any]]:
    """Return what was logged of a kind."""
    messages = [record.msg for record in caplog.records]
    return [one for one in messages if isinstance(one, dict) and one.get("event") == name]
