# SPDX-License-Identifier: Apache-2.0
"""Words that are amended, releases side by side, and what depends on one, over gRPC."""

import asyncio
from pathlib import Path

from tabard.v1 import adapter_pb2
from tabard.v1 import registry_service_pb2 as pb
from tests.server.harness import refusal_of, serving

INK = "acme/ink@1.0.0"


def test_edit_changes_what_is_shown(tmp_path: Path) -> None:
    """Words change, the digest stays, and the history names act, actor and words."""

    async def walk() -> None:
        async with serving(tmp_path) as server:
            before = await server.publish("acme/ink", notes="dry")
            request = pb.EditRequest(
                ref=INK,
                notes="",
                licence="MIT",
                purpose=adapter_pb2.PURPOSE_STYLE,
                trigger_words=pb.TriggerWords(trigger_words=["wash"]),
                actor="ann",
                reason="a typo",
            )
            after = (await server.registry.Edit(request)).release
            nothing = await refusal_of(server.registry.Edit(pb.EditRequest(ref=INK)))
            history = await server.registry.History(pb.HistoryRequest(page_size=1))

        assert (after.notes, after.licence, list(after.trigger_words)) == ("", "MIT", ["wash"])
        assert (after.digest, after.title) == (before.release.digest, before.release.title)
        assert nothing.reason == "FIELD_REQUIRED"
        [action] = history.records[0].actions
        assert (action.type, action.actor) == (adapter_pb2.ACTION_TYPE_EDIT, "ann")
        assert action.note == "licence, notes, purpose, trigger words"

    asyncio.run(walk())


def test_words_that_are_not_taken_are_named(tmp_path: Path) -> None:
    """Equal bytes are the same release whatever is said of them."""

    async def walk() -> None:
        async with serving(tmp_path) as server:
            await server.publish("acme/ink", notes="dry")
            again = await server.publish("acme/ink", notes="wet")

        assert (again.created, again.release.notes, list(again.untaken)) == (
            False,
            "dry",
            ["notes"],
        )

    asyncio.run(walk())


def test_releases_are_compared(tmp_path: Path) -> None:
    """Layers with their ranks and norms; of equal bytes there is no distance."""

    async def walk() -> None:
        async with serving(tmp_path) as server:
            await server.publish("acme/ink", notes="dry")
            await server.publish("acme/ink", "1.1.0")
            found = await server.registry.Diff(pb.DiffRequest(ref=INK, other_ref="acme/ink@1.1.0"))
            none = await refusal_of(
                server.registry.Diff(pb.DiffRequest(ref=INK, other_ref="acme/no@1.0.0"))
            )

        assert (found.release.version, found.other_release.version) == ("1.0.0", "1.1.0")
        assert found.layers and all(one.left.norm > 0 for one in found.layers)
        assert all(one.HasField("distance") for one in found.layers)
        assert ("notes", "dry", "") in [(one.name, one.left, one.right) for one in found.fields]
        assert none.reason == "ADAPTER_NOT_FOUND"

    asyncio.run(walk())


def test_dependents_are_named(tmp_path: Path) -> None:
    """Channels, recipes, and no job while none runs."""

    async def walk() -> None:
        async with serving(tmp_path) as server:
            await server.publish("acme/ink")
            await server.promote(INK)
            await server.publish_recipe("acme/mix", f"{INK}:0.5")
            found = await server.registry.GetDependents(pb.GetDependentsRequest(ref=INK))

        assert (list(found.channels), list(found.recipes)) == (["stable"], ["acme/mix@1.0.0"])
        assert (found.recipe_count, found.job_count) == (1, 0)

    asyncio.run(walk())
