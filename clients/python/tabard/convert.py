# SPDX-License-Identifier: Apache-2.0
"""From protobuf messages to the SDK's values: times become texts, durations seconds, enums names.

Releases are read here; every other answer where its verb is. Never calls the network.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping, MutableSequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from tabard.enums import member_name
from tabard.errors import FieldViolation, Internal, InvalidArgument
from tabard.releases.release import Adapter, Channel, Member, Release, ReleaseSignature
from tabard.releases.sampling import BOUNDS, LISTS, NAMES, SPANS, read_sampling

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

from tabard.v1 import adapter_pb2

T = TypeVar("T", bound="DataclassInstance")


def read_release(message: adapter_pb2.Release) -> Release:
    """Give the value of a release message."""
    return same_fields(
        Release,
        message,
        published_at=field_value(message, "publish_time"),
        members=tuple(same_fields(Member, member) for member in message.members),
        signatures=tuple(same_fields(ReleaseSignature, one) for one in message.signatures),
        sampling=read_sampling(message.sampling),
    )


def read_adapter(message: adapter_pb2.Adapter) -> Adapter:
    """Give the value of an adapter message."""
    return same_fields(
        Adapter,
        message,
        releases=tuple(map(read_release, message.releases)),
        channels=tuple(same_fields(Channel, channel) for channel in message.channels),
    )


def same_fields(wanted: type[T], source: object, /, **made: Any) -> T:
    """Make a value of what has the same fields, a message or a value; `made` are the others.

    What is repeated becomes a tuple, a map a dict, and the member of an enum its name.
    """
    names = [one.name for one in dataclasses.fields(wanted) if one.name not in made]
    return wanted(**{name: field_value(source, name) for name in names}, **made)


def field_value(source: object, name: str) -> Any:
    """Give the value of one field as the SDK hands it out; of an absent time it is empty."""
    value = getattr(source, name)
    if isinstance(source, Message):
        field: Any = source.DESCRIPTOR.fields_by_name[name]
        if field.enum_type is not None:
            return member_name(field.enum_type, value)
        if isinstance(value, Timestamp):
            return _time_text(value) if source.HasField(name) else ""
        if isinstance(value, Duration):
            return value.seconds + value.nanos / 1e9
    if isinstance(value, Mapping):
        return dict(value)
    return tuple(value) if isinstance(value, MutableSequence) else value


def timestamp_of(time: datetime | str) -> Timestamp | None:
    """Give the message of a time, an aware datetime or RFC 3339; None for the empty text.

    Raises:
        InvalidArgument: It has no offset from UTC, or is no time.
    """
    if not time:
        return None
    said: datetime | None = None
    with contextlib.suppress(ValueError):
        said = datetime.fromisoformat(time) if isinstance(time, str) else time
    message = Timestamp()
    if said is not None and said.tzinfo is not None:
        with contextlib.suppress(ValueError, OverflowError):
            message.FromDatetime(said.astimezone(UTC))
            return message
    raise InvalidArgument(
        f"'{time}' is not a time with an offset from UTC",
        reason="TIME_INVALID",
        hint="write RFC 3339, like 2026-11-23T12:00:00Z, or give an aware datetime",
    )


def write_sampling(said: Mapping[str, Any] | None) -> adapter_pb2.Sampling | None:
    """Give the message of a table; None for none.

    Raises:
        InvalidArgument: A name is not known, or a value of another type (`SAMPLING_INVALID`).
    """
    if not said:
        return None
    for name in said:
        if name not in NAMES:
            raise _invalid_sampling(
                f"'{name}' is not known", hint=f"say one of: {', '.join(NAMES)}"
            )
    message = adapter_pb2.Sampling()
    for name, value in said.items():
        try:
            if name in SPANS:
                getattr(message, name).CopyFrom(adapter_pb2.SamplingSpan(**_span_numbers(value)))
            elif name in LISTS:
                getattr(message, name).extend(value if not isinstance(value, str) else [value])
            else:
                setattr(message, name, value)
        except (TypeError, ValueError) as error:
            raise _invalid_sampling(
                f"{name} cannot be {value!r}", hint=_sampling_hint(name)
            ) from error
    return message


def _time_text(message: Timestamp) -> str:
    try:
        time = message.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise Internal(
            "the server says a time that no calendar has",
            reason="ANSWER_DAMAGED",
            hint="look at the log of the server, or ask another one",
        ) from error
    # As the log has it, so that texts compare as times do.
    return time.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _span_numbers(value: Any) -> dict[str, float]:
    if not isinstance(value, Mapping) or value.keys() - set(BOUNDS):
        raise ValueError("it is no table of bounds")
    return dict(value)


def _sampling_hint(name: str) -> str:
    if name in SPANS:
        return f"say numbers: {name}.min, {name}.max, {name}.recommended"
    return f"give {name} a list" if name in LISTS else "see docs/sampling.md"


def _invalid_sampling(what: str, *, hint: str) -> InvalidArgument:
    message = f"the sampling that is declared cannot be: {what}"
    return InvalidArgument(
        message,
        reason="SAMPLING_INVALID",
        hint=hint,
        violations=(FieldViolation(field="sampling", description=message),),
    )
