# SPDX-License-Identifier: Apache-2.0
"""Counting before parsing: every legal message passes, and no other costs more than a legal one."""

from typing import Any

import pytest
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from tabard.v1 import generation_service_pb2, registry_service_pb2
from tabard.v1.adapter_pb2 import WeightedRef
from tabard_server.errors import InvalidRequest
from tabard_server.limits import Limits
from tabard_server.rpc.door.bounds import bounds_of
from tabard_server.rpc.door.wire import Shape, shape_of
from tests.server.harness import refs

LIMITS = Limits(prompt_chars_max=50, adapters_per_request_max=4, picture_bytes_max=1_000)
Generate = generation_service_pb2.GenerateRequest
Recipe = registry_service_pb2.PublishRecipeRequest


def shape(message: type[Message] = Generate) -> Shape:
    return shape_of(message, bounds=bounds_of(LIMITS))


def refusal(data: bytes, message: type[Message] = Generate) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        shape(message).read(data, as_type=message)
    return caught.value


def test_largest_legal_message_passes() -> None:
    """Every field at its bound, of the widest letters."""
    request = Generate(
        prompt="🎨" * 50,
        negative_prompt="🎨" * 50,
        adapters=refs("🎨" * 512) * 4,
        image=b"x" * 1_000,
        mask_image=b"x" * 1_000,
        seed=2**64 - 1,
        guidance_scale=7.5,
        timesteps=[2**32 - 1] * 150,
        sigmas=[1.5] * 151,
        original_size=generation_service_pb2.ImageSize(width=2**32 - 1, height=1),
    )

    assert shape().read(request.SerializeToString(), as_type=Generate) == request


@pytest.mark.parametrize(
    ("request_", "field", "reason"),
    [
        (Generate(prompt="x" * 201), "prompt", "PROMPT_TOO_LONG"),
        (Generate(adapters=refs("a/b") * 5), "adapters", "TOO_MANY_ADAPTERS"),
        (Generate(adapters=refs("x" * 2_049)), "adapters.ref", "FIELD_TOO_LONG"),
        (Generate(image=b"x" * 1_001), "image", "IMAGE_TOO_LARGE"),
        (Generate(timesteps=[300] * 151), "timesteps", "STEPS_OUT_OF_RANGE"),
        (Generate(timesteps=[1] * 100_000), "timesteps", "STEPS_OUT_OF_RANGE"),
        (Generate(sigmas=[1.0] * 152), "sigmas", "STEPS_OUT_OF_RANGE"),
        (Recipe(members=refs("a/b") * 17), "members", "FIELD_INVALID"),
        (
            Recipe(draft=registry_service_pb2.ReleaseDraft(trigger_words=["x"] * 33)),
            "draft.trigger_words",
            "FIELD_TOO_LONG",
        ),
        (
            Recipe(draft=registry_service_pb2.ReleaseDraft(notes="x" * 32_001)),
            "draft.notes",
            "FIELD_TOO_LONG",
        ),
    ],
)
def test_what_is_too_much_is_named(request_: Message, field: str, reason: str) -> None:
    """The field, the reason and what to do."""
    error = refusal(request_.SerializeToString(), type(request_))

    assert (error.reason, error.violations[0].field) == (reason, field)
    assert error.hint


def test_count_stops_at_the_first_too_many() -> None:
    """The rest of a message that says too much is never looked at."""

    class Watched(bytes):
        looked_at = 0

        def __getitem__(self, index: Any) -> Any:
            Watched.looked_at = max(Watched.looked_at, index)
            return super().__getitem__(index)

    data = Watched(Generate(adapters=refs("acme/ink") * 100_000).SerializeToString())

    assert refusal(data).reason == "TOO_MANY_ADAPTERS"
    assert Watched.looked_at < 100


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"\xff" * 40, "within a number"),
        (b"\x0a\x7fshort", "within a field"),
        (b"\x0a", "within a number"),
        (b"\x0b\x0c", "no known form"),
        (b"\x00\x00", "within a field"),
        (b"\x0a\x02\xc3\x28", "UTF-8"),
        (b"\x0a\x01x" * 2, "prompt more than once"),
        (b"\xf8\x3f\x01" * 65, "not known here"),
        (b"\xfa\x3f\xff\xff\x04" + b"x" * 81_919, "not known here"),
    ],
)
def test_garbage_is_refused_in_plain_words(data: bytes, what: str) -> None:
    """No name of a class, no traceback: what is wrong, and with what message."""
    error = refusal(data)

    assert error.reason == "MALFORMED_MESSAGE"
    assert what in str(error)
    assert "tabard.v1.GenerateRequest" in str(error)


@pytest.mark.parametrize("timesteps", [150, 151])
def test_numbers_one_by_one_are_counted_too(timesteps: int) -> None:
    """Numbers may be sent in one field or in many; both are the same to a parser."""
    data = b"\xe8\x01\x07" * timesteps

    if timesteps <= 150:
        assert list(shape().read(data, as_type=Generate).timesteps) == [7] * timesteps
    else:
        assert refusal(data).reason == "STEPS_OUT_OF_RANGE"


def test_newer_fields_pass() -> None:
    """What a newer client says beside what is known here is no mistake."""
    data = Generate(prompt="x").SerializeToString() + b"\xf8\x3f\x01" + b"\xfa\x3f\x03abc"

    assert shape().read(data, as_type=Generate).prompt == "x"


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    """Nothing else comes out, whatever goes in."""
    counted = shape(Recipe)
    try:
        counted.read(data, as_type=Recipe)
    except InvalidRequest as error:
        assert error.reason


@given(
    st.builds(
        Generate,
        prompt=st.text(max_size=50),
        adapters=st.lists(st.builds(WeightedRef, ref=st.text(max_size=60)), max_size=4),
        seed=st.integers(0, 2**64 - 1),
        guidance_scale=st.floats(allow_nan=False),
        deterministic=st.booleans(),
        image=st.binary(max_size=100),
    )
)
def test_what_protobuf_writes_passes(request_: Any) -> None:
    """Every message within the bounds is read as it was written."""
    assert shape().read(request_.SerializeToString(), as_type=Generate) == request_
