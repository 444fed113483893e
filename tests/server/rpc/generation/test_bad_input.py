# SPDX-License-Identifier: Apache-2.0
"""Every wrong request gets the right status, a reason and advice; the server goes on serving."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest

from tabard.v1.generation_service_pb2 import PROMPT_SYNTAX_A1111 as A1111
from tests.server.harness import (
    KIND_TEXTUAL_INVERSION,
    Refusal,
    Request,
    Server,
    refs,
    refusal_of,
    serving,
    token_file,
)
from tests.server.output.made_pictures import bomb, encode, picture

INVALID = grpc.StatusCode.INVALID_ARGUMENT
NOT_FOUND = grpc.StatusCode.NOT_FOUND


@dataclass(frozen=True, kw_only=True)
class Case:
    """A wrong request and what must be said of it."""

    reason: str
    code: grpc.StatusCode = INVALID
    at: str = ""
    request: dict[str, Any] = field(default_factory=dict)


CASES = (
    Case(reason="TAG_MALFORMED", at="prompt", request={"prompt": "a cat <lora:acme/ink:0.8"}),
    Case(reason="TAG_MALFORMED", at="prompt", request={"prompt": "a cat <Lora acme/ink>"}),
    Case(reason="TAG_NOT_SUPPORTED", at="prompt", request={"prompt": "a cat <HyperNet:x:1>"}),
    Case(
        reason="TAG_NOT_SUPPORTED",
        at="negative_prompt",
        request={"negative_prompt": "blur <LORA:acme/ink"},
    ),
    Case(reason="EMBEDDING_NOT_WORN", at="prompt", request={"prompt": "a embedding:teal cat"}),
    Case(
        reason="EMBEDDING_NOT_WORN",
        at="negative_prompt",
        request={"negative_prompt": "embedding:easynegative"},
    ),
    Case(reason="TOKEN_MATCH_UNKNOWN", at="token_match", request={"token_match": 9}),
    Case(reason="PROMPT_TOO_LONG", at="prompt", request={"prompt": "word " * 31}),
    Case(reason="PROMPT_TOO_LONG", at="prompt", request={"prompt": "x" * 5_000}),
    Case(reason="PROMPT_TOO_LONG", at="negative_prompt", request={"negative_prompt": "w " * 31}),
    Case(reason="PROMPT_INVALID", at="prompt", request={"prompt": "a\0b"}),
    Case(reason="SIZE_INVALID", at="width", request={"width": 65}),
    Case(reason="SIZE_INVALID", at="height", request={"height": 0}),
    Case(reason="SIZE_TOO_LARGE", at="width", request={"width": 4096, "height": 4096}),
    Case(reason="SIDE_TOO_LONG", at="height", request={"width": 16, "height": 65_536}),
    Case(
        reason="STEPS_OUT_OF_RANGE",
        at="num_inference_steps",
        request={"num_inference_steps": 0},
    ),
    Case(
        reason="STEPS_OUT_OF_RANGE",
        at="num_inference_steps",
        request={"num_inference_steps": 151},
    ),
    Case(reason="IMAGES_OUT_OF_RANGE", at="num_images", request={"num_images": 0}),
    Case(reason="IMAGES_OUT_OF_RANGE", at="num_images", request={"num_images": 17}),
    Case(
        reason="GUIDANCE_OUT_OF_RANGE",
        at="guidance_scale",
        request={"guidance_scale": float("nan")},
    ),
    Case(reason="GUIDANCE_OUT_OF_RANGE", at="guidance_scale", request={"guidance_scale": -1.0}),
    Case(
        reason="SEED_OUT_OF_RANGE",
        at="seed",
        request={"seed": 2**64 - 1, "num_images": 2},
    ),
    Case(reason="UNKNOWN_SAMPLER", at="sampler", request={"sampler": "telepathy"}),
    Case(reason="SAMPLER_NOT_SERVED", at="sampler", request={"sampler": "heun"}),
    Case(reason="SAMPLER_NOT_SERVED", at="sampler", request={"sampler": "DPM adaptive"}),
    Case(reason="TRIGGER_NOT_WORN", at="prompt", request={"prompt": "a {trigger}"}),
    Case(reason="CONTROL_MALFORMED", at="prompt", request={"prompt": "a <lora:acme/ink:1:step=5>"}),
    Case(
        reason="CONTROL_OUT_OF_RANGE",
        at="adapters[0]",
        request={"adapters": [{"ref": "acme/ink", "controls": {"start": 0.5, "end": 0.2}}]},
    ),
    Case(
        reason="CONTROL_OUT_OF_RANGE",
        at="adapters",
        request={"adapters": [{"ref": "acme/ink:start=0.9"}], "num_inference_steps": 2},
    ),
    Case(
        reason="BLOCK_UNKNOWN",
        at="adapters[0]",
        request={"adapters": [{"ref": "acme/ink", "controls": {"blocks": [{"block": "OUT11"}]}}]},
    ),
    Case(
        reason="BLOCK_LIST_LENGTH",
        at="adapters[0]",
        request={"adapters": [{"ref": "acme/ink", "controls": {"block_weights": [1.0] * 17}}]},
    ),
    Case(
        reason="CONTROL_CONTRADICTED",
        at="adapters[0]",
        request={"adapters": [{"ref": "acme/ink:te=1", "controls": {"unet": 1.0}}]},
    ),
    Case(
        reason="CONTROL_CONTRADICTED",
        at="adapters[0]",
        request={
            "adapters": [
                {"ref": "acme/ink", "controls": {"unet": 1.0, "points": [{"weight": 1.0}]}}
            ]
        },
    ),
    Case(
        reason="INVALID_WEIGHT",
        at="adapters",
        request={"adapters": [{"ref": "acme/ink", "controls": {"unet": float("nan")}}]},
    ),
    Case(
        reason="INVALID_WEIGHT",
        at="adapters",
        request={"adapters": [{"ref": "acme/ink:2:MID=3"}]},
    ),
    Case(
        reason="FIELD_TOO_LONG",
        at="adapters.controls.block_weights",
        request={"adapters": [{"ref": "acme/ink", "controls": {"block_weights": [1.0] * 65}}]},
    ),
    Case(
        reason="TAG_NOT_SUPPORTED",
        at="negative_prompt",
        request={"negative_prompt": "a {trigger}"},
    ),
    Case(reason="SCHEDULE_UNKNOWN", at="schedule", request={"schedule": "karas"}),
    Case(reason="SCHEDULE_NOT_SERVED", at="schedule", request={"schedule": "KL Optimal"}),
    Case(
        reason="TIMESTEP_SPACING_UNKNOWN", at="timestep_spacing", request={"timestep_spacing": "x"}
    ),
    Case(reason="SAMPLER_OPTION_NOT_SERVED", at="schedule", request={"schedule": "karras"}),
    Case(
        reason="SCHEDULE_CONTRADICTED",
        at="timestep_spacing",
        request={"schedule": "simple", "timestep_spacing": "leading"},
    ),
    Case(
        reason="SCHEDULE_OUT_OF_ORDER",
        at="timesteps[1]",
        request={"sampler": "euler", "timesteps": [1, 999]},
    ),
    Case(
        reason="SCHEDULE_OUT_OF_RANGE",
        at="sigmas",
        request={"sampler": "euler", "sigmas": [float("nan"), 0.0]},
    ),
    Case(
        reason="STEPS_MISMATCH",
        at="timesteps",
        request={"sampler": "euler", "timesteps": [999, 1], "num_inference_steps": 3},
    ),
    Case(reason="STEPS_OUT_OF_RANGE", at="timesteps", request={"timesteps": [1] * 151}),
    Case(reason="ETA_OUT_OF_RANGE", at="eta", request={"eta": 2.0}),
    Case(reason="CLIP_SKIP_OUT_OF_RANGE", at="clip_skip", request={"clip_skip": 12}),
    Case(reason="PROMPT_SYNTAX_UNKNOWN", at="prompt_syntax", request={"prompt_syntax": 9}),
    Case(
        reason="PROMPT_WINDOWS_OUT_OF_RANGE",
        at="prompt_windows_max",
        request={"prompt_windows_max": 5},
    ),
    Case(
        reason="PROMPT_TOO_LONG",
        at="prompt",
        request={"prompt": "word " * 121, "prompt_windows_max": 4},
    ),
    Case(
        reason="PROMPT_SYNTAX_NOT_SERVED",
        at="prompt",
        request={"prompt": "a [red:blue:0.5] cat", "prompt_syntax": A1111},
    ),
    Case(
        reason="PROMPT_SYNTAX",
        at="negative_prompt",
        request={"negative_prompt": "(blur:11)", "prompt_syntax": A1111},
    ),
    Case(reason="IMAGE_NOT_READABLE", at="image", request={"image": b""}),
    Case(
        reason="IMAGE_NOT_READABLE",
        at="mask_image",
        request={"image": encode(picture()), "mask_image": b"no"},
    ),
    Case(reason="IMAGE_TOO_LARGE", at="image", request={"image": bomb(9_000)}),
    Case(
        reason="MASK_SIZE_DIFFERS",
        at="mask_image",
        request={"image": encode(picture()), "mask_image": encode(picture(size=(32, 32)))},
    ),
    Case(reason="IMAGE_MISSING", at="strength", request={"strength": 0.5}),
    Case(reason="IMAGE_MISSING", at="mask_image", request={"mask_image": encode(picture())}),
    Case(
        reason="STRENGTH_OUT_OF_RANGE",
        at="strength",
        request={"image": encode(picture()), "strength": 1.5},
    ),
    Case(reason="SIZES_NOT_SERVED", at="target_size", request={"target_size": {"width": 64}}),
    Case(reason="INVALID_WEIGHT", at="adapters[0]", request={"adapters": refs("acme/ink:9")}),
    Case(reason="INVALID_WEIGHT", at="adapters[0]", request={"adapters": refs("acme/ink:nan")}),
    Case(
        reason="WEIGHT_AMBIGUOUS",
        at="adapters[0]",
        request={"adapters": [{"ref": "acme/ink:0.5", "weight": 0.6}]},
    ),
    Case(
        reason="INVALID_WEIGHT",
        at="adapters[0]",
        request={"adapters": [{"ref": "acme/ink", "weight": float("nan")}]},
    ),
    Case(reason="INVALID_NAME", at="adapters[0]", request={"adapters": refs("ink")}),
    Case(reason="INVALID_NAME", at="prompt", request={"prompt": "a <lora:ink:0.8>"}),
    Case(reason="INVALID_WEIGHT", at="prompt", request={"prompt": "a <lora:acme/ink:strong>"}),
    Case(reason="TAG_NOT_SUPPORTED", at="prompt", request={"prompt": "a <hypernet:x:1>"}),
    Case(
        reason="TAG_NOT_SUPPORTED",
        at="negative_prompt",
        request={"negative_prompt": "<lora:acme/ink:1>"},
    ),
    Case(
        reason="ADAPTER_TWICE",
        at="adapters",
        request={"adapters": refs("acme/ink"), "prompt": "a <lora:acme/ink:0.5>"},
    ),
    Case(
        reason="TOO_MANY_ADAPTERS",
        at="adapters",
        request={"adapters": refs(*(f"acme/ink{i}" for i in range(17)))},
    ),
    Case(reason="TOKEN_NOT_USED", at="prompt", request={"adapters": refs("acme/teal@1.0.0")}),
    Case(
        reason="WEIGHT_NOT_SUPPORTED",
        at="adapters",
        request={"adapters": refs("acme/teal@1.0.0:0.5"), "prompt": "a <teal> cat"},
    ),
    Case(
        reason="TOKEN_CLASH",
        at="adapters",
        request={"adapters": refs("acme/teal@1.0.0", "acme/cyan@1.0.0"), "prompt": "a <teal> cat"},
    ),
    Case(reason="ADAPTER_NOT_FOUND", code=NOT_FOUND, request={"adapters": refs("acme/inc")}),
    Case(reason="RELEASE_NOT_FOUND", code=NOT_FOUND, request={"adapters": refs("acme/ink@9.9.9")}),
    Case(reason="CHANNEL_NOT_FOUND", code=NOT_FOUND, request={"adapters": refs("acme/ink@night")}),
    Case(
        reason="RELEASE_NOT_FOUND",
        code=NOT_FOUND,
        request={"adapters": refs("acme/ink@sha256:" + "0" * 12)},
    ),
)


@pytest.fixture(scope="module")
def refusals(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Refusal]:
    """Send every wrong request to one server, which must still draw afterwards."""

    async def walk() -> dict[int, Refusal]:
        async with serving(tmp_path_factory.mktemp("bad")) as server:
            await stock(server)
            told = {
                number: await refusal_of(
                    server.generation.Generate(Request(**{"prompt": "a cat"} | case.request))
                )
                for number, case in enumerate(CASES)
            }
            assert (await server.generate(adapters=["acme/ink"])).kinds[-1] == "done"
            assert server.app.generation.jobs_left == 0
            assert server.app.room.depth == 0
            return told

    return asyncio.run(walk())


async def stock(server: Server) -> None:
    """Publish what the cases name."""
    await server.publish("acme/ink")
    await server.promote("acme/ink@1.0.0")
    for name in ("acme/teal", "acme/cyan"):
        await server.publish(name, content=token_file("<teal>"), kind=KIND_TEXTUAL_INVERSION)


@pytest.mark.parametrize("number", range(len(CASES)), ids=lambda n: f"{CASES[n].reason}-{n}")
def test_wrong_request_is_told_why(number: int, refusals: dict[int, Refusal]) -> None:
    """Status, reason, the field concerned, and advice."""
    case, refusal = CASES[number], refusals[number]

    assert (refusal.reason, refusal.code) == (case.reason, case.code)
    assert refusal.hint
    assert not case.at or case.at in refusal.fields


def test_all_wrong_fields_are_listed(tmp_path: Path) -> None:
    """One refusal names every number that is out of bounds."""

    async def walk() -> Refusal:
        async with serving(tmp_path) as server:
            return await refusal_of(
                server.generation.Generate(
                    Request(prompt="a\0b", width=65, num_images=99, clip_skip=99, image=b"")
                )
            )

    fields = set(asyncio.run(walk()).fields)
    assert fields == {"prompt", "width", "num_images", "clip_skip", "image"}


def test_near_name_is_suggested(refusals: dict[int, Refusal]) -> None:
    """A misspelt adapter is told what exists."""
    number = next(n for n, case in enumerate(CASES) if case.reason == "ADAPTER_NOT_FOUND")

    assert "acme/ink" in refusals[number].hint


def test_taught_token_draws_when_used(tmp_path: Path) -> None:
    """A textual inversion whose token is in the prompt is served."""

    async def walk() -> None:
        async with serving(tmp_path) as server:
            await stock(server)
            told = await server.generate("a <teal> cat", adapters=["acme/teal@1.0.0"])

        assert told.accepted.worn[0].adapter == "acme/teal"
        assert told.kinds[-1] == "done"

    asyncio.run(walk())
