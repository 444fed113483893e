# SPDX-License-Identifier: Apache-2.0
"""Messages become the SDK's values, whole: no field is missed, none is made up.

The values of `history` have no behaviour of their own; that they are read is seen here.
"""

import dataclasses
import hashlib
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

import tabard
from tabard import convert, history, operations, releases, result
from tabard.v1 import adapter_pb2, generation_service_pb2, operations_service_pb2
from tabard.v1 import registry_service_pb2 as registry_pb2

PLUS_ONE = timezone(timedelta(hours=1))
PAIRS: list[tuple[type[Any], type[Message]]] = [
    (releases.Member, adapter_pb2.Member),
    (releases.ReleaseSignature, adapter_pb2.ReleaseSignature),
    (releases.Release, adapter_pb2.Release),
    (releases.Channel, adapter_pb2.Channel),
    (releases.Adapter, adapter_pb2.Adapter),
    (releases.Problem, registry_pb2.Problem),
    (releases.Coverage, registry_pb2.Coverage),
    (releases.CheckReport, registry_pb2.CheckReport),
    (releases.Published, registry_pb2.PublishResponse),
    (releases.PublishedRecipe, registry_pb2.PublishRecipeResponse),
    (releases.SearchHit, registry_pb2.SearchHit),
    (releases.ChannelMove, registry_pb2.ChannelMove),
    (history.Action, adapter_pb2.Action),
    (history.Record, adapter_pb2.Record),
    (history.Serving, registry_pb2.Serving),
    (history.ServedAt, registry_pb2.ServedAtResponse),
    (operations.Resident, operations_service_pb2.Resident),
    (operations.MemoryPlan, operations_service_pb2.MemoryPlan),
    (operations.Cause, operations_service_pb2.Cause),
    (operations.Verification, operations_service_pb2.VerifyResponse),
    (operations.ServerStatus, operations_service_pb2.GetStatusResponse),
    (operations.Drained, operations_service_pb2.DrainResponse),
    (result.WornRecipe, generation_service_pb2.WornRecipe),
    (result.WornRelease, generation_service_pb2.WornRelease),
    (result.Accepted, generation_service_pb2.Accepted),
    (result.Progress, generation_service_pb2.Progress),
    (result.Preview, generation_service_pb2.Preview),
    (result.GeneratedImage, generation_service_pb2.Image),
    (result.Done, generation_service_pb2.Done),
]
"""Every value that is read from a message, and the message."""


RENAMED = {
    (releases.Release, "published_at"): "publish_time",
    (history.ServedAt, "is_truncated"): "next_page_token",
    (operations.Cause, "seconds"): "duration",
    (operations.Verification, "seconds"): "duration",
    (operations.ServerStatus, "uptime_seconds"): "uptime",
    (operations.ServerStatus, "registry_lag_seconds"): "registry_lag",
    (result.Done, "queue_ms"): "queue_duration",
    (result.Done, "total_ms"): "total_duration",
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

    report = convert.read_report(message)
    message.alphas.append(3.0)
    message.methods["LoHa"] = 1

    assert (report.alphas, report.methods) == ((1.0, 2.0), {"LoRA": 3})
    assert report.problems[0].keys == ("k",)
    assert type(report.methods) is dict


def test_times_are_texts_as_the_log_has_them() -> None:
    """And back; what is absent is empty."""
    text = "2030-01-01T00:00:00.500000Z"
    at = convert.timestamp_of(text)

    assert convert.read_record(adapter_pb2.Record(time=at)).time == text
    assert convert.read_record(adapter_pb2.Record()).time == ""
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

    assert convert.read_event(pb.GenerateResponse(done=done)) == tabard.Done(
        queue_ms=1.5, total_ms=2_000.0
    )


def test_optional_messages_are_none() -> None:
    """A plan that nobody made is not a plan of nothing."""
    bare = convert.read_status(operations_service_pb2.GetStatusResponse())
    planned = operations_service_pb2.GetStatusResponse(
        memory_plan=operations_service_pb2.MemoryPlan(base_bytes=5)
    )

    assert bare.memory_plan is None
    plan = convert.read_status(planned).memory_plan
    assert plan is not None
    assert plan.total_bytes == 5


def test_manifest_must_have_its_digest() -> None:
    """Bytes that are another's are never handed out."""
    content = b'{"original": []}'
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    release = adapter_pb2.Release(digest=digest)

    manifest = convert.read_manifest(
        registry_pb2.GetManifestResponse(release=release, manifest=content)
    )
    with pytest.raises(tabard.Internal) as caught:
        convert.read_manifest(registry_pb2.GetManifestResponse(release=release, manifest=b"{}"))

    assert manifest.content == content
    assert caught.value.reason == "MANIFEST_DAMAGED"


def test_recipe_worn_is_told_with_its_member() -> None:
    """And is None where a release is worn by itself."""
    pb = generation_service_pb2
    recipe = pb.WornRecipe(adapter="acme/mix", version="1.0.0", digest="d", weight=0.5)
    accepted = pb.Accepted(worn=[pb.WornRelease(ref="a", recipe=recipe), pb.WornRelease(ref="b")])

    event = convert.read_event(pb.GenerateResponse(accepted=accepted))

    assert isinstance(event, tabard.Accepted)
    assert event.worn[0].recipe == tabard.WornRecipe(
        adapter="acme/mix", version="1.0.0", digest="d", weight=0.5
    )
    assert event.worn[1].recipe is None


def test_impossible_time_is_a_damaged_answer() -> None:
    """A server that says one is told of, not a line of Python."""
    message = adapter_pb2.Release(publish_time=Timestamp(seconds=1 << 62))

    with pytest.raises(tabard.Internal) as told:
        convert.read_release(message)

    assert told.value.reason == "ANSWER_DAMAGED"
