# SPDX-License-Identifier: Apache-2.0
"""What a generate request may say, in the SDK's words and on the wire, by either client."""

import asyncio
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import tabard
from tabard import AsyncClient, Client, GenerateOptions, InvalidArgument
from tabard.calls import generation
from tabard.calls.options import write_request
from tabard.v1 import generation_service_pb2 as pb
from tests.clients.fakes.server import FakeServer

AGAIN = {"again", "base"}
"""What the client says of itself when a server was lost."""
IMAGE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (8, 12, 3), dtype=np.uint8))


def test_every_field_of_the_message_has_an_option() -> None:
    """What the server understands can be said, but for what a stream or a job adds."""
    fields = {field.name for field in pb.GenerateRequest.DESCRIPTOR.fields}
    options = set(GenerateOptions.__annotations__) - {"crops_coords_top_left"} | {"crop_top_left"}

    assert options == fields - {"prompt", "preview_every", "detach", "without_progress"} - AGAIN


def test_every_option_is_explained() -> None:
    """The class explains each option, and `help(client.generate)` names it."""
    explained = re.findall(r"^        (\w+): ", GenerateOptions.__doc__ or "", re.MULTILINE)

    assert explained == list(GenerateOptions.__annotations__)
    assert all(f"`{name}`" in (generation.generate.__doc__ or "") for name in explained)


def test_nothing_said_sends_the_prompt_only() -> None:
    """None is silence, as before."""
    silent: dict[str, Any] = dict.fromkeys(GenerateOptions.__annotations__)

    assert write_request("x", options=silent) == pb.GenerateRequest(prompt="x")


def test_seed_of_uis_is_not_sent() -> None:
    """-1 leaves the seed to the server."""
    assert write_request("x", options={"seed": -1}) == pb.GenerateRequest(prompt="x")


def test_sizes_are_in_diffusers_order() -> None:
    """Heights before widths, as diffusers takes them."""
    request = write_request(
        "x",
        options={
            "original_size": (128, 256),
            "crops_coords_top_left": (8, 16),
            "target_size": (32, 96),
        },
    )

    assert (request.original_size.width, request.original_size.height) == (256, 128)
    assert (request.crop_top_left.top, request.crop_top_left.left) == (8, 16)
    assert (request.target_size.width, request.target_size.height) == (96, 32)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"image": "nowhere.png"}, "FILE_NOT_FOUND"),
        ({"mask_image": Path("/")}, "FILE_NOT_FOUND"),
        ({"image": 7}, "NOT_A_PICTURE"),
        ({"image": Image.new("F", (2, 2))}, "NOT_A_PICTURE"),
        ({"prompt_syntax": "compel"}, "PROMPT_SYNTAX_UNKNOWN"),
        ({"token_match": "some"}, "TOKEN_MATCH_UNKNOWN"),
        ({"seed": -2}, "VALUE_OUT_OF_RANGE"),
        ({"target_size": (1, 2, 3)}, "NOT_A_PAIR"),
        ({"clip_skip": -1}, "VALUE_OUT_OF_RANGE"),
        ({"seed": 2**64}, "VALUE_OUT_OF_RANGE"),
        ({"original_size": (-1, 2)}, "VALUE_OUT_OF_RANGE"),
    ],
)
def test_unsendable_value_is_refused(
    client: Client, server: FakeServer, options: dict[str, Any], reason: str
) -> None:
    """What the SDK can see for itself never reaches the server."""
    with pytest.raises(tabard.InvalidArgument) as caught:
        client.generate("x", **options)

    assert (caught.value.reason, server.state.requests) == (reason, [])
    assert caught.value.hint


@pytest.mark.parametrize(
    ("name", "value", "most"),
    [
        ("seed", 2**64, 2**64 - 1),
        ("num_inference_steps", -1, 2**32 - 1),
        ("crops_coords_top_left", (-1, 2), 2**32 - 1),
    ],
)
def test_number_out_of_range_is_named(name: str, value: object, most: int) -> None:
    """As the caller calls it, with its value and the bounds that it has there."""
    with pytest.raises(InvalidArgument) as caught:
        write_request("x", options={name: value})

    assert str(caught.value) == f"{name} {value!r} is out of range"
    also = ", or -1 for a random one" if name == "seed" else ""
    assert caught.value.hint == f"use whole numbers from 0 to {most}{also}"
    assert [one.field for one in caught.value.violations] == [name]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("clip_skips", "; did you mean 'clip_skip'?"),
        ("steps", "; did you mean 'num_inference_steps'?"),
        ("zebra", ""),
    ],
)
def test_unknown_parameter_is_a_type_error(client: Client, name: str, meant: str) -> None:
    """A misspelt name fails as it does on every Python function, and names the nearest."""
    options: dict[str, Any] = {name: 1}

    with pytest.raises(TypeError) as caught:
        client.generate("x", **options)

    assert str(caught.value) == f"there is no parameter '{name}'{meant}"


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("seed", 1.5, "seed cannot be 1.5, a float"),
        ("num_inference_steps", "five", "num_inference_steps cannot be 'five', a str"),
        ("target_size", ("a", 1), "target_size cannot be ('a', 1), a tuple"),
        (
            "crops_coords_top_left",
            ("a", 1),
            "crops_coords_top_left cannot be ('a', 1), a tuple",
        ),
        ("adapters", [("a/b", 0.5)], "adapters are texts such as 'acme/ink:0.8', not ('a/b', 0.5)"),
        ("adapters", {"a/b": 0.5}, "adapters are texts such as 'acme/ink:0.8', not {'a/b': 0.5}"),
    ],
)
def test_value_of_another_type_is_named(
    client: Client, server: FakeServer, name: str, value: object, words: str
) -> None:
    """Not "bad argument type for built-in operation"; and no weight of a mapping is lost."""
    options: dict[str, Any] = {name: value}

    with pytest.raises(TypeError) as caught:
        client.generate("x", **options)

    assert (str(caught.value), server.state.requests) == (words, [])


def test_clients_send_the_same(server: FakeServer, client: Client, tmp_path: Path) -> None:
    """The blocking and the asyncio client put the same message on the wire."""
    said: Any = {"image": IMAGE, "mask_image": IMAGE, "strength": 0.5, "clip_skip": 1}
    said["request_id"] = "once"

    async def walk() -> None:
        async with AsyncClient(server.address) as other:
            await other.generate("x", **said)
            async for _event in other.stream("x", **said):
                pass

    client.generate("x", **said)
    asyncio.run(walk())

    first, second, third = server.state.requests
    assert first.HasField("image")
    # Whoever follows the events is told of every step; who waits for images is not.
    assert (first.without_progress, third.without_progress) == (True, False)
    third.without_progress = True
    assert first == second == third


def test_one_adapter_may_stand_alone(client: Client, server: FakeServer) -> None:
    """A bare string is one ref, not its letters."""
    alone, listed = (
        write_request("x", options={"adapters": adapters})
        for adapters in ("acme/ink:0.8", ["acme/ink:0.8"])
    )

    assert alone == listed


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("prompt_syntax", "a111"),
        ("token_match", "all"),
        ("priority", "urgent"),
        ("image", "no-such.png"),
        ("mask_image", 7),
        ("target_size", (1, 2, 3)),
    ],
)
def test_refused_value_names_its_field(name: str, value: object) -> None:
    """A form marks the field, wherever it was refused."""
    with pytest.raises(InvalidArgument) as caught:
        write_request("x", options={name: value})

    assert [one.field for one in caught.value.violations] == [name]


def test_near_name_is_told() -> None:
    """A mistyped word of a closed set is answered with the nearest."""
    with pytest.raises(InvalidArgument, match="did you mean 'a1111'"):
        write_request("x", options={"prompt_syntax": "a111"})
