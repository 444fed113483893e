# SPDX-License-Identifier: Apache-2.0
"""Messages become the SDK's values, whole: no field is missed, none is made up.

The values of `history` have no behaviour of their own; that they are read is seen here.
"""

import dataclasses
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

import tabard
from tabard import convert
from tabard.calls import generation, records, uploads
from tabard.v1 import adapter_pb2, generation_service_pb2, operations_service_pb2
from tabard.v1 import registry_service_pb2 as registry_pb2

PLUS_ONE = timezone(timedelta(hours=1))
PAIRS: list[tuple[type[Any], type[Message]]] = [
    (tabard.Member, adapter_pb2.Member),
    (tabard.ReleaseSignature, adapter_pb2.ReleaseSignature),
    (tabard.Release, adapter_pb2.Release),
    (tabard.Channel, adapter_pb2.Channel),
    (tabard.Adapter, adapter_pb2.Adapter),
    (tabard.Problem, registry_pb2.Problem),
    (tabard.Coverage, registry_pb2.Coverage),
    (tabard.CheckReport, registry_pb2.CheckReport),
    (tabard.Published, registry_pb2.PublishResponse),
    (tabard.PublishedRecipe, registry_pb2.PublishRecipeResponse),
    (tabard.SearchHit, registry_pb2.SearchHit),
    (tabard.ChannelMove, registry_pb2.ChannelMove),
    (tabard.Action, adapter_pb2.Action),
    (tabard.Record, adapter_pb2.Record),
    (tabard.Serving, registry_pb2.Serving),
    (tabard.ServedAt, registry_pb2.ServedAtResponse),
    (tabard.Resident, operations_service_pb2.Resident),
    (tabard.MemoryPlan, operations_service_pb2.MemoryPlan),
    (tabard.Cause, operations_service_pb2.Cause),
    (tabard.Verification, operations_service_pb2.VerifyResponse),
    (tabard.ServerStatus, operations_service_pb2.GetStatusResponse),
    (tabard.Drained, operations_service_pb2.DrainResponse),
    (tabard.WornRecipe, generation_service_pb2.WornRecipe),
    (tabard.WornRelease, generation_service_pb2.WornRelease),
    (tabard.Accepted, generation_service_pb2.Accepted),
    (tabard.Progress, generation_service_pb2.Progress),
    (tabard.Preview, generation_service_pb2.Preview),
    (tabard.GeneratedImage, generation_service_pb2.Image),
    (tabard.Done, generation_service_pb2.Done),
]
"""Every value that is read from a message, and the message."""


RENAMED = {
    (tabard.Release, "published_at"): "publish_time",
    (tabard.ServedAt, "is_truncated"): "next_page_token",
    (tabard.Cause, "seconds"): "duration",
    (tabard.Verification, "seconds"): "duration",
    (tabard.ServerStatus, "uptime_seconds"): "uptime",
    (tabard.ServerStatus, "registry_lag_seconds"): "registry_lag",
    (tabard.Done, "queue_ms"): "queue_duration",
    (tabard.Done, "total_ms"): "total_duration",
}
"""What a message says without its unit."""


@pytest.mark.parametrize(("value", "message"), PAIRS, ids=lambda one: one.__name__)
def test_fields_of_value_and_message_agree(value: type[Any], message: type[Message]) -> None:
    """What the server says is handed out, and nothing else, under one name."""
    fields = {RENAMED.get((value, one.name), one.name) for one in dataclasses.fields(value)}

    assert fields == {field.name for field in message.DESCRIPTOR.fields}


def test_same_fields_are_the_callers_own() -> None:
    """Lists become tuples and maps dicts, so that a value cannot change with its message."""
    message = registry_pb2.CheckReport(
        accepted=True,
        alphas=[1.0, 2.0],
        methods={"LoRA": 3},
        problems=[registry_pb2.Problem(reason="R", keys=["k"])],
    )

    report = uploads.read_report(message)
    message.alphas.append(3.0)
    message.methods["LoHa"] = 1

    assert (report.alphas, report.methods) == ((1.0, 2.0), {"LoRA": 3})
    assert report.problems[0].keys == ("k",)
    assert type(report.methods) is dict


def test_times_are_texts_as_the_log_has_them() -> None:
    """And back; what is absent is empty."""
    text = "2030-01-01T00:00:00.500000Z"
    at = convert.timestamp_of(text)

    assert records.read_record(adapter_pb2.Record(time=at)).time == text
    assert records.read_record(adapter_pb2.Record()).time == ""
    assert convert.timestamp_of(datetime(2030, 1, 1, 1, 0, 0, 500_000, tzinfo=PLUS_ONE)) == at
    assert convert.timestamp_of("") is None


@pytest.mark.parametrize(
    "time",
    ["noon", "2030-01-01T00:00:00", "0001-01-01T00:00:00+23:00", datetime(2030, 1, 1)],
)
def test_time_needs_an_offset(time: datetime | str) -> None:
    """What means no moment is not sent."""
    with pytest.raises(tabard.InvalidArgument) as caught:
        convert.timestamp_of(time)

    assert (caught.value.reason, "Z" in caught.value.hint) == ("TIME_INVALID", True)


def test_durations_are_numbers() -> None:
    """In the unit of their names."""
    pb = generation_service_pb2
    done = pb.Done(queue_duration=timedelta(milliseconds=1.5), total_duration=timedelta(seconds=2))

    assert generation.read_event(pb.GenerateResponse(done=done)) == tabard.Done(
        queue_ms=1.5, total_ms=2_000.0
    )


def test_impossible_time_is_a_damaged_answer() -> None:
    """A server that says one is told of, not a line of Python."""
    message = adapter_pb2.Release(publish_time=Timestamp(seconds=1 << 62))

    with pytest.raises(tabard.Internal) as told:
        convert.read_release(message)

    assert told.value.reason == "ANSWER_DAMAGED"


@pytest.mark.parametrize(
    "said",
    [
        {"sampler": "x"},
        {"steps": 4},
        {"steps": {"best": 4}},
        {"steps": {"min": "few"}},
        {"timesteps": 5},
        {"timesteps": [-1]},
        {"samplers": [1]},
        {"spacing": 7},
        {"clip_skip": -1},
    ],
)
def test_sampling_that_cannot_be_sent_is_named(said: dict[str, Any]) -> None:
    """Before a byte is."""
    with pytest.raises(tabard.InvalidArgument) as caught:
        convert.write_sampling(said)

    assert (caught.value.reason, caught.value.violations[0].field) == (
        "SAMPLING_INVALID",
        "sampling",
    )
    assert next(iter(said)) in str(caught.value) and caught.value.hint


def test_no_sampling_is_no_message() -> None:
    """Of nothing, and of an empty table."""
    assert convert.write_sampling(None) is None
    assert convert.write_sampling({}) is None
