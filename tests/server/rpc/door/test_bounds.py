# SPDX-License-Identifier: Apache-2.0
"""The table of fields: every text, every `bytes`, and whatever may be repeated has a bound."""

from collections.abc import Iterator
from typing import Any

from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto

from tabard_server.limits import Limits
from tabard_server.rpc.door.bounds import bounds_of
from tabard_server.rpc.server import SERVED

SIZED = {FieldDescriptorProto.TYPE_STRING, FieldDescriptorProto.TYPE_BYTES}


def unbounded_fields(message: Any, *, seen: frozenset[str] = frozenset()) -> Iterator[str]:
    """Walk a message and what it holds, by the descriptors alone."""
    assert message.full_name not in seen, "a request that holds itself has no bound"
    said = DescriptorProto()
    message.CopyToProto(said)
    bounds = bounds_of(Limits())
    for field, of in zip(said.field, message.fields, strict=True):
        is_repeated = field.label == FieldDescriptorProto.LABEL_REPEATED
        if (field.type in SIZED or is_repeated) and field.name not in bounds:
            yield f"{message.full_name}.{field.name}"
        if is_repeated:
            # Numbers are counted without being parsed; texts and messages are looked into.
            most = 64 if field.type in SIZED or of.message_type else 256
            assert bounds[field.name].count_max <= most, "more than a moment's work"
        if of.message_type is not None:
            yield from unbounded_fields(of.message_type, seen=seen | {message.full_name})


def test_every_field_of_every_request_is_bounded() -> None:
    """Of every method of every service, health and reflection too, however deep it lies."""
    requests = [method.input_type for service in SERVED for method in service.methods]

    assert len(requests) > 25
    assert [field for one in requests for field in unbounded_fields(one)] == []


def test_bounds_are_those_of_the_rooms_behind() -> None:
    """What a room allows passes the door, whatever alphabet it is written in."""
    limits = Limits(prompt_chars_max=100, adapters_per_request_max=3, picture_bytes_max=1_000)
    bounds = bounds_of(limits)

    assert bounds["prompt"].bytes_max == len(("🎨" * 100).encode())
    assert bounds["adapters"].count_max == 3
    assert bounds["image"].bytes_max == 1_000
