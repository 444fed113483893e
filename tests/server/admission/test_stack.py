# SPDX-License-Identifier: Apache-2.0
"""Recipes in requests: worn as their members, pinned, weighed, told in every picture."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tabard.v1 import registry_service_pb2 as pb
from tabard.v1.operations_service_pb2 import WarmRequest
from tests.server.fakes import FakeEngine, noise
from tests.server.harness import (
    KIND_TEXTUAL_INVERSION,
    Refusal,
    Request,
    Server,
    Told,
    lora_file,
    pixels_of,
    provenance_of,
    refs,
    refusal_of,
    serving,
    small_limits,
    token_file,
)


async def stock(server: Server) -> None:
    """Publish styles, a word, and recipes of them."""
    for name in ("acme/ink", "acme/pen"):
        await server.publish(name)
        await server.promote(f"{name}@1.0.0")
    await server.publish("acme/ink", "2.0.0", content=lora_file(seed_text="two"))
    await server.publish("acme/teal", content=token_file("<teal>"), kind=KIND_TEXTUAL_INVERSION)
    await server.publish_recipe("acme/mix", "acme/ink:0.5", "acme/pen:-0.2")
    await server.promote("acme/mix@1.0.0")
    await server.publish_recipe("acme/both", "acme/ink@1.0.0:0.5", "acme/ink@2.0.0:0.5")
    await server.publish_recipe("acme/heavy", "acme/pen@1.0.0:3")
    await server.publish_recipe("acme/word", "acme/teal@1.0.0", "acme/pen@1.0.0:0.5")


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Everything that one server says of recipes."""

    async def walk() -> dict[str, Any]:
        async with serving(tmp_path_factory.mktemp("recipes")) as server:
            await stock(server)
            before = await server.generate(adapters=["acme/mix:0.8"], seed=7)
            await server.promote("acme/ink@2.0.0")
            after = await server.generate(adapters=["acme/mix@^1:0.8"], seed=7)
            found = {
                "before": before,
                "after": after,
                "both": await server.generate(adapters=["acme/both@1.0.0"]),
                "word": await server.generate("a <teal> cat", adapters=["acme/word@1.0.0:0.5"]),
                "tag": await server.generate("a cat <lora:acme/mix:0.5>"),
                "warm": await server.operations.Warm(WarmRequest(ref="acme/mix")),
            }
            for name, adapters in {
                "twin": ["acme/mix", "acme/pen"],
                "twin recipes": ["acme/mix", "acme/word@1.0.0"],
                "heavy": ["acme/heavy@1.0.0:2"],
            }.items():
                call = server.generation.Generate(
                    Request(prompt="a <teal> cat", adapters=refs(*adapters))
                )
                found[name] = await refusal_of(call)
            found["rows"] = server.app.metrics.registry.get_sample_value(
                "tabard_rows_total", {"adapter": "acme/mix", "version": "1.0.0"}
            )
            return found

    return asyncio.run(walk())


def test_recipe_is_worn_as_its_members(told: dict[str, Any]) -> None:
    """Each member with both weights multiplied, and the recipe that brought it."""
    worn = told["before"].accepted.worn

    assert [(one.adapter, one.version, round(one.weight, 6)) for one in worn] == [
        ("acme/ink", "1.0.0", 0.4),
        ("acme/pen", "1.0.0", -0.16),
    ]
    assert {(one.ref, one.recipe.adapter, one.recipe.weight) for one in worn} == {
        ("acme/mix:0.8", "acme/mix", 0.8)
    }
    assert worn[0].recipe.digest.startswith("sha256:")


def test_image_wears_the_members(told: dict[str, Any]) -> None:
    """The pixels are those of the members with the multiplied weights."""
    before: Told = told["before"]
    stack = [(one.digest, one.weight) for one in before.accepted.worn]

    drawn = noise(stack=stack, prompt="a red circle", seed=7, width=64, height=64)

    assert (pixels_of(before.images[0].content) == drawn).all()


def test_members_stay_locked(told: dict[str, Any]) -> None:
    """A later promotion of a member changes nothing in the recipe."""
    before, after = told["before"], told["after"]

    assert [one.digest for one in before.accepted.worn] == [
        one.digest for one in after.accepted.worn
    ]
    assert (pixels_of(before.images[0].content) == pixels_of(after.images[0].content)).all()


def test_provenance_names_the_recipe(told: dict[str, Any]) -> None:
    """Within the PNG: the member, and the recipe it came from."""
    stack = provenance_of(told["before"].images[0].content)["stack"]

    assert [one["adapter"] for one in stack] == ["acme/ink", "acme/pen"]
    assert {one["recipe"]["adapter"] for one in stack} == {"acme/mix"}
    assert stack[0]["recipe"]["weight"] == 0.8
    assert stack[0]["recipe"]["digest"] == told["before"].accepted.worn[0].recipe.digest


def test_recipe_may_combine_one_line(told: dict[str, Any]) -> None:
    """Its author locked both releases, so both are meant."""
    assert [one.version for one in told["both"].accepted.worn] == ["1.0.0", "2.0.0"]


def test_word_in_recipe_has_no_weight(told: dict[str, Any]) -> None:
    """The weight of a recipe is for what can be weighed."""
    weights = {one.adapter: one.weight for one in told["word"].accepted.worn}

    assert weights == {"acme/teal": 1.0, "acme/pen": 0.25}


def test_recipe_in_a_tag(told: dict[str, Any]) -> None:
    """Tags in the prompt mean recipes as well."""
    assert [one.adapter for one in told["tag"].accepted.worn] == ["acme/ink", "acme/pen"]


@pytest.mark.parametrize("name", ["twin", "twin recipes"])
def test_line_named_twice_is_refused(told: dict[str, Any], name: str) -> None:
    """Nobody guesses what it should weigh; the recipe that brings it is named."""
    refusal: Refusal = told[name]

    assert refusal.reason == "ADAPTER_TWICE"
    assert "acme/mix@1.0.0" in refusal.message


def test_warm_loads_all_members(told: dict[str, Any]) -> None:
    """The answer speaks of the recipe, with the bytes of its members."""
    resident = told["warm"].resident

    assert (resident.adapter, resident.version) == ("acme/mix", "1.0.0")
    assert resident.bytes == 2_000


def test_recipe_is_counted(told: dict[str, Any]) -> None:
    """Whoever asks how often a recipe was drawn finds it beside its members."""
    assert told["rows"] == 3.0


def test_stack_counts_members(tmp_path: Path) -> None:
    """The bound of a stack is one of releases, not of refs."""

    async def walk() -> Refusal:
        limits = small_limits(adapters_per_request_max=1)
        async with serving(tmp_path, limits=limits) as server:
            await stock(server)
            return await refusal_of(
                server.generation.Generate(Request(prompt="x", adapters=refs("acme/mix")))
            )

    assert asyncio.run(walk()).reason == "TOO_MANY_ADAPTERS"


def test_recipe_needs_members_of_one_base(tmp_path: Path) -> None:
    """A recipe within a recipe, or of nothing, is refused with advice."""

    async def walk() -> list[Refusal]:
        async with serving(tmp_path) as server:
            await stock(server)
            draft = pb.ReleaseDraft(adapter="acme/new", version="1.0.0", actor="t")
            cases: list[list[str]] = [["acme/mix:0.5"], [], ["acme/none:1"]]
            return [
                await refusal_of(
                    server.registry.PublishRecipe(
                        pb.PublishRecipeRequest(draft=draft, members=refs(*members))
                    )
                )
                for members in cases
            ]

    refusals = asyncio.run(walk())
    assert [one.reason for one in refusals] == [
        "FIELD_INVALID",
        "FIELD_INVALID",
        "ADAPTER_NOT_FOUND",
    ]
    assert all(one.hint for one in refusals)


def test_weight_beyond_bound_is_refused(told: dict[str, Any]) -> None:
    """What is multiplied stays within the bound of a weight; the member is named."""
    refusal: Refusal = told["heavy"]

    assert refusal.reason == "INVALID_WEIGHT"
    assert "acme/pen" in refusal.message


def test_stack_beyond_all_slots_fails(tmp_path: Path) -> None:
    """A stack that can never fit is refused at the door."""

    async def walk() -> None:
        async with serving(tmp_path, engine=FakeEngine(rank_total=6)) as server:
            for name in ("acme/a", "acme/b"):
                await server.publish(name)
            refusal = await refusal_of(
                server.generation.Generate(
                    Request(prompt="x", adapters=refs("acme/a@1.0.0", "acme/b@1.0.0"))
                )
            )

        assert refusal.reason == "STACK_TOO_LARGE"

    asyncio.run(walk())
