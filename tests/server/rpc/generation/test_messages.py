# SPDX-License-Identifier: Apache-2.0
"""From a generate message to a request: what is said, and what is left out."""

from dataclasses import fields

import pytest

from tabard.v1 import generation_service_pb2 as pb
from tabard_registry.identity.identity import ANYBODY
from tabard_server.callers.caller import NOBODY
from tabard_server.engine_port.drawing import WantedDrawing
from tabard_server.jobs.job import Again, JobSpec, Written
from tabard_server.rpc.generation.messages import read_request
from tests.server.harness import refs

DIGEST = "sha256:" + "d" * 64
FULL = pb.GenerateRequest(
    prompt="a",
    negative_prompt="b",
    adapters=refs("c"),
    seed=0,
    num_inference_steps=0,
    guidance_scale=0.0,
    width=0,
    height=0,
    num_images=0,
    sampler="d",
    deterministic=True,
    preview_every=1,
    clip_skip=0,
    prompt_syntax=pb.PROMPT_SYNTAX_A1111,
    prompt_windows_max=0,
    image=b"",
    strength=0.0,
    mask_image=b"",
    original_size=pb.ImageSize(width=1, height=2),
    crop_top_left=pb.ImageCorner(top=3, left=4),
    target_size=pb.ImageSize(width=5, height=6),
    token_match=pb.TOKEN_MATCH_ANYWHERE,
    priority=pb.PRIORITY_HIGH,
    request_id="e",
    decline_canary=True,
    canary_key="f",
    timestep_spacing="f",
    schedule="g",
    timesteps=[1],
    sigmas=[1.0],
    eta=0.0,
    auto_trigger=True,
    detach=pb.Detach(namespace="acme"),
    image_format=pb.IMAGE_FORMAT_WEBP,
    image_quality=0,
    without_progress=True,
    regions=[pb.Region(name="a")],
    base="012345678901",
    skip_guidance_layers=[0],
    skip_layer_guidance_scale=0.0,
    skip_layer_guidance_start=0.0,
    skip_layer_guidance_stop=0.0,
    again=pb.Again(seed=3, pins=[pb.Pin(ref="a/b", digest=DIGEST)], registry_seq=4),
)


def test_zero_is_something_said() -> None:
    """A zero and an empty file are not taken for silence: they are judged, not replaced."""
    spec = read_request(FULL, seconds_left=9.0, caller=NOBODY, identity=ANYBODY)

    wanted = spec.wanted
    for value in (spec, wanted):
        assert all(getattr(value, field.name) is not None for field in fields(value))
    assert spec.written == Written(format="webp", quality=0)
    assert spec.again == Again(pins={"a/b": (DIGEST, None)}, seed=3, registry_seq=4)
    assert (wanted.image, wanted.mask_image, wanted.strength) == (b"", b"", 0.0)
    assert (wanted.original_size, wanted.crop_top_left) == ((1, 2), (3, 4))
    assert (wanted.target_size, wanted.clip_skip) == ((5, 6), 0)


def test_every_field_is_read() -> None:
    """A request has as many fields as the message, but for what the call says."""
    # The drawing is a field of the request; deadline, caller, identity and trace are none of
    # the message, and neither are words that may lack. How an image is
    # written are two; that it is detached, and what is told of it, are the door's own. Layers that
    # are left out are four.
    count = len(fields(JobSpec)) + len(fields(WantedDrawing)) - 6 + 6
    assert count == len(FULL.DESCRIPTOR.fields) == len(FULL.ListFields())


def test_silence_stays_silence() -> None:
    """What is left out is None, and filled in by nobody on the way."""
    spec = read_request(
        pb.GenerateRequest(prompt="a"), seconds_left=None, caller=NOBODY, identity=ANYBODY
    )

    assert spec == JobSpec(wanted=WantedDrawing(prompt="a"))


@pytest.mark.parametrize(("number", "name"), [(0, ""), (1, "plain"), (2, "a1111"), (7, "7")])
def test_syntax_by_name(number: int, name: str) -> None:
    """A syntax that is newer than this server keeps its number, to be refused by it."""
    message = pb.GenerateRequest()
    message.MergeFromString(bytes([14 << 3, number]))

    assert (
        read_request(
            message, seconds_left=None, caller=NOBODY, identity=ANYBODY
        ).wanted.prompt_syntax
        == name
    )


@pytest.mark.parametrize(("number", "name"), [(0, ""), (1, "whole"), (2, "anywhere"), (7, "7")])
def test_token_match_by_name(number: int, name: str) -> None:
    """Likewise where words count."""
    message = pb.GenerateRequest()
    message.MergeFromString(bytes([22 << 3 & 0x7F | 0x80, 22 >> 4, number]))

    assert (
        read_request(message, seconds_left=None, caller=NOBODY, identity=ANYBODY).wanted.token_match
        == name
    )
