# SPDX-License-Identifier: Apache-2.0
"""Declared sampling over gRPC: published, shown, taken by a request, warned of, refused."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tabard import AlreadyExists, AsyncClient, InvalidArgument
from tabard_registry.release.sampling import NO_SAMPLING, Sampling, Span
from tabard_server.rpc.registry.sampling import read_sampling, write_sampling
from tests.server.fakes import FakeEngine
from tests.server.harness import lora_file, provenance_of, serving

SAID = {
    "samplers": ["Euler"],
    "steps": {"min": 1, "max": 8, "recommended": 4},
    "guidance": {"max": 2, "recommended": 1},
    "spacing": "trailing",
    "weight": {"recommended": 0.5},
}


def test_value_and_message_say_the_same() -> None:
    """Zeros and silence, both ways."""
    full = Sampling(
        samplers=("euler",),
        steps=Span(min=1, recommended=4),
        guidance=Span(max=0),
        spacing="leading",
        sigmas=(
            9.0,
            1.0,
            0.0,
        ),
        clip_skip=0,
        prediction="epsilon",
        weight=Span(recommended=-1),
        prompt="negative",
        enforce="warn",
    )
    message = write_sampling(full)

    assert message is not None and read_sampling(message) == full
    assert write_sampling(NO_SAMPLING) is None


def test_declared_sampling_goes_all_the_way(tmp_path: Path) -> None:
    """From the draft to the row; the answer and the file say what it was not made for."""
    file = tmp_path / "few.safetensors"
    file.write_bytes(lora_file())
    engine = FakeEngine()

    async def walk() -> tuple[Any, ...]:
        async with (
            serving(tmp_path, engine=engine) as server,
            AsyncClient(server.address) as client,
        ):
            published = await client.publish("acme/few", file, version="1.0.0", sampling=SAID)
            await client.promote("acme/few@1.0.0")
            shown = await client.resolve("acme/few")
            silent = await client.generate("x", adapters="acme/few", seed=1)
            loud = await client.generate("x", adapters="acme/few:1", seed=1, guidance_scale=7.5)
            with pytest.raises(AlreadyExists):
                await client.publish("acme/few", file, version="1.0.0", sampling={"clip_skip": 1})
            again = await client.publish("acme/few", file, version="1.0.0")
            return published.release, shown, silent, loud, again

    published, shown, silent, loud, again = asyncio.run(walk())

    assert (
        shown.sampling
        == published.sampling
        == SAID
        | {
            "samplers": ["euler"],
            "sources": ["author"],
        }
    )
    assert again.created is False and again.release.digest == published.digest
    drawing = engine.batches[0][0].drawing
    assert (drawing.sampler, drawing.steps, drawing.guidance_scale) == ("euler", 4, 1.0)
    assert drawing.walk.timestep_spacing == "trailing"
    assert (silent.worn[0].weight, silent.warnings) == (0.5, ())
    assert "warnings" not in provenance_of(silent.images[0].content)
    (warning,) = loud.warnings
    assert (warning.release, warning.field) == ("acme/few@1.0.0", "guidance_scale")
    assert provenance_of(loud.images[0].content)["warnings"] == [
        {"release": warning.release, "field": warning.field, "message": warning.message}
    ]
    assert loud.worn[0].weight == 1.0


def test_enforced_and_impossible_declarations_are_refused(tmp_path: Path) -> None:
    """By their reasons, at their fields; a header that names a family is heeded."""
    author, family = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    author.write_bytes(lora_file(seed_text="a"))
    family.write_bytes(lora_file(seed_text="b", metadata={"modelspec.title": "LCM LoRA"}))
    reasons: list[tuple[str, str]] = []

    async def walk() -> Any:
        async with serving(tmp_path) as server, AsyncClient(server.address) as client:

            async def refused(call: Any) -> None:
                with pytest.raises(InvalidArgument) as caught:
                    await call
                reasons.append(
                    (caught.value.reason, "".join(one.field for one in caught.value.violations))
                )

            await client.publish(
                "acme/a", author, version="1.0.0", sampling=SAID | {"enforce": "refuse"}
            )
            await client.publish("acme/b", family, version="1.0.0")
            report = await client.check(family)
            await refused(client.generate("x", adapters="acme/a@1.0.0", num_inference_steps=30))
            # What its author allows, the namespace need not.
            await client.set_policy("acme", enforce_sampling=True)
            await refused(client.generate("x", adapters="acme/b@1.0.0", num_inference_steps=30))
            for wrong in ({"steps": {"min": 9, "max": 1}}, {"samplers": ["magic"]}):
                await refused(client.publish("acme/c", author, version="1.0.0", sampling=wrong))
            return report, await client.resolve("acme/b@1.0.0")

    report, shown = asyncio.run(walk())

    assert reasons == [
        ("SAMPLING_REFUSED", "num_inference_steps"),
        ("SAMPLING_REFUSED", "num_inference_stepssampler"),
        ("SAMPLING_INVALID", ""),
        ("UNKNOWN_SAMPLER", "draft.sampling.samplers"),
    ]
    assert report.sampling == shown.sampling
    assert shown.sampling["sources"] == ["LCM"] and shown.sampling["samplers"] == ["lcm"]


def test_recipe_declares_for_itself(tmp_path: Path) -> None:
    """Its own word counts before those of its members, and its digest covers it."""
    engine = FakeEngine()

    async def walk() -> Any:
        async with (
            serving(tmp_path, engine=engine) as server,
            AsyncClient(server.address) as client,
        ):
            await server.publish("acme/ink")
            told = {"steps": {"recommended": 3}}
            made = await client.publish_recipe(
                "acme/mix", ["acme/ink@1.0.0:0.5"], version="1.0.0", sampling=told
            )
            await client.generate("x", adapters="acme/mix@1.0.0", seed=1)
            return made.release.sampling

    assert asyncio.run(walk()) == {"steps": {"recommended": 3}, "sources": ["author"]}
    assert engine.batches[0][0].drawing.steps == 3
