# SPDX-License-Identifier: Apache-2.0
"""What a PNG says of itself: our JSON, A1111's text, and equal files for equal requests."""

import asyncio
import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from tabard_server.engine_port.drawing import Drawing, SkippedLayers
from tabard_server.engine_port.prompt_style import PromptStyle
from tabard_server.engine_port.regions import Region
from tabard_server.engine_port.walk import Walk
from tabard_server.jobs.job import Job
from tabard_server.output.provenance import Origin, describe, write_parameters
from tests.server.drawings import drawing, picture_of
from tests.server.harness import (
    KIND_TEXTUAL_INVERSION,
    Told,
    chunks_of,
    provenance_of,
    serving,
    token_file,
)

ORIGIN = Origin(
    tabard="1",
    base_family="sd1",
    base_fingerprint="sha256:0",
    base_source="base",
    registry_id="r",
    device="cpu",
    dtype="float32",
    versions={},
    sampler_titles={},
)


def _job(drawn: Drawing) -> Job:
    return Job(
        id="j",
        ticket=1,
        drawing=drawn,
        worn=(),
        seeds=(1,),
        is_deterministic=True,
        preview_every=0,
        registry_seq=1,
        admitted_at=0.0,
        deadline_at=None,
        prompt_windows=1,
    )


def draw(folder: Path, *, is_deterministic: bool = False, times: int = 1) -> list[Told]:
    """Draw the same image some times, in two adapters, with other jobs and acts in between."""

    async def walk() -> list[Told]:
        told = []
        async with serving(folder) as server:
            await server.publish("acme/ink")
            await server.promote("acme/ink@1.0.0")
            await server.publish(
                "acme/teal", content=token_file("<teal>"), kind=KIND_TEXTUAL_INVERSION
            )
            for number in range(times):
                told.append(
                    await server.generate(
                        "a <teal> cat <lora:acme/ink:0.8>",
                        negative_prompt="blur",
                        adapters=["acme/teal@1.0.0"],
                        seed=11,
                        sampler="Euler",
                        guidance_scale=5.0,
                        deterministic=is_deterministic,
                    )
                )
                await server.publish("acme/other", f"1.0.{number}")
        return told

    return asyncio.run(walk())


def test_json_tells_the_whole_story(tmp_path: Path) -> None:
    """Base, registry, stack, words and numbers are all in the PNG."""
    told = draw(tmp_path)[0]

    document = provenance_of(told.images[0].content)

    assert document["base"]["source"] == "fake-base"
    assert document["base"]["fingerprint"].startswith("sha256:")
    assert document["registry"]["seq"] == told.accepted.registry_seq
    assert [worn["digest"] for worn in document["stack"]] == [
        worn.digest for worn in told.accepted.worn
    ]
    assert [worn["kind"] for worn in document["stack"]] == ["textual_inversion", "lora"]
    assert document["prompt"] == "a <teal> cat"
    assert (document["seed"], document["sampler"], document["steps"]) == (11, "euler", 3)
    assert document["versions"] == {"fake": "1.0"}


def test_beside_the_png_the_job_is_named(tmp_path: Path) -> None:
    """The JSON beside the image is the same and names the job, and which of its images it is."""
    told = draw(tmp_path)[0]

    beside = json.loads(told.images[0].provenance_json)

    assert beside.pop("job_id") == told.accepted.job_id
    assert beside.pop("index") == 0
    assert beside == provenance_of(told.images[0].content)


def test_a1111_reads_the_parameters(tmp_path: Path) -> None:
    """Prompt line, negative prompt and the facts line are as A1111 writes them."""
    told = draw(tmp_path)[0]
    short = [worn.digest.removeprefix("sha256:")[:12] for worn in told.accepted.worn]

    prompt, negative, facts = chunks_of(told.images[0].content)["parameters"].split("\n")

    assert prompt == "a <teal> cat <lora:acme/ink:0.8>"
    assert negative == "Negative prompt: blur"
    assert facts.startswith("Steps: 3, Sampler: Euler, CFG scale: 5, Seed: 11, Size: 64x64, ")
    assert f'Lora hashes: "acme/ink: {short[1]}"' in facts
    assert f'TI hashes: "<teal>: {short[0]}"' in facts


def test_equal_requests_leave_equal_files(tmp_path: Path) -> None:
    """Deterministic files do not change with time, job or log position."""
    files = {told.images[0].content for told in draw(tmp_path, is_deterministic=True, times=3)}

    assert len(files) == 1


PICTURE = picture_of(np.zeros((64, 64, 3), dtype=np.uint8))
REGION = Region(name="left", shares=np.ones((8, 8)), prompt="a dog", boxes="0,0,1,1")
CHANGES: dict[str, dict[str, Any]] = {
    "prompt": {"prompt": "a blue square"},
    "negative_prompt": {"negative_prompt": "blur"},
    "steps": {"steps": 9},
    "guidance_scale": {"guidance_scale": 2.5},
    "guidance": {"guidance": "distilled"},
    "skipped": {"skipped": SkippedLayers(layers=(7, 8, 9))},
    "width": {"width": 128},
    "height": {"height": 128},
    "sampler": {"sampler": "euler"},
    "walk": {"walk": Walk(schedule="beta")},
    "style": {"style": PromptStyle(syntax="a1111")},
    "clip_skip": {"clip_skip": 1},
    "regions": {"regions": (REGION,)},
    "picture": {"picture": PICTURE, "strength": 0.5},
    "strength": {"picture": PICTURE, "strength": 0.6},
    "original_size": {"original_size": (64, 64)},
    "crop_top_left": {"crop_top_left": (0, 0)},
    "target_size": {"target_size": (64, 64)},
}


def test_whatever_shapes_an_image_is_told() -> None:
    """Two drawings that differ in any field differ in their JSON and in A1111's text."""
    assert set(CHANGES) == {field.name for field in fields(Drawing)}
    jobs = [_job(drawing()), *(_job(drawing(**changes)) for changes in CHANGES.values())]

    documents = {json.dumps(describe(job, index=0, origin=ORIGIN), sort_keys=True) for job in jobs}
    texts = {write_parameters(job, index=0, origin=ORIGIN) for job in jobs}

    assert len(documents) == len(texts) == len(CHANGES) + 1


def test_every_way_of_steps_is_told() -> None:
    """No two of them leave the same file."""
    walks = [
        Walk(timestep_spacing="trailing"),
        Walk(schedule="simple"),
        Walk(timesteps=(9, 1)),
        Walk(sigmas=(9.0, 1.0)),
        Walk(eta=0.0),
        Walk(),
    ]
    jobs = [_job(drawing(walk=walk)) for walk in walks]

    documents = {json.dumps(describe(job, index=0, origin=ORIGIN), sort_keys=True) for job in jobs}
    texts = {write_parameters(job, index=0, origin=ORIGIN) for job in jobs}

    assert len(documents) == len(texts) == len(walks)


def test_base_name_cannot_pose_as_another_fact() -> None:
    """What would break its line, or steer who looks at it, is quoted as JSON with escapes."""
    origin = replace(ORIGIN, base_source="base\x1b[2J\u202e\u2028, Seed: 7")

    text = write_parameters(_job(drawing()), index=0, origin=origin)

    assert r'Model: "base\u001b[2J\u202e\u2028, Seed: 7",' in text
    assert text.replace("\n", "").isprintable()
