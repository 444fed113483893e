# SPDX-License-Identifier: Apache-2.0
"""Messages become the SDK's values, whole: no field is missed, none is made up.

The values of `history` have no behaviour of their own; that they are read is seen here.
"""

import dataclasses
import hashlib
from typing import Any

import pytest
from google.protobuf.message import Message

import tabard
from tabard import convert, history, operations, releases, result
from tabard.v1 import adapter_pb2, generation_service_pb2, operations_service_pb2
from tabard.v1 import registry_service_pb2 as registry_pb2

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


@pytest.mark.parametrize(("value", "message"), PAIRS, ids=lambda one: one.__name__)
def test_fields_of_value_and_message_agree(value: type[Any], message: type[Message]) -> None:
    """What the server says is handed out, and nothing else, under one name."""
    fields = {field.name for field in dataclasses.fields(value)}

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


def test_kinds_and_purposes_go_both_ways() -> None:
    """By their names; silence is silence."""
    for kind, number in convert.KINDS.items():
        assert convert.kind_number(kind) == number
        assert convert.read_release(adapter_pb2.Release(kind=number)).kind == kind
    for purpose, number in convert.PURPOSES.items():
        assert convert.purpose_number(purpose) == number
        assert convert.read_release(adapter_pb2.Release(purpose=number)).purpose == purpose
    assert (convert.kind_number(""), convert.purpose_number("")) == (0, 0)
    assert convert.read_release(adapter_pb2.Release()).kind == ""


def test_unknown_names_say_the_known_ones() -> None:
    """In the hint."""
    for number, reason in (
        (convert.kind_number, "UNKNOWN_KIND"),
        (convert.purpose_number, "UNKNOWN_PURPOSE"),
    ):
        with pytest.raises(tabard.InvalidArgument) as caught:
            number("poem")

        assert (caught.value.reason, "use one of: " in caught.value.hint) == (reason, True)


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
