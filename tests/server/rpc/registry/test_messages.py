# SPDX-License-Identifier: Apache-2.0
"""The registry's values as messages: no field forgotten, and what callers say read back."""

import pytest

from tabard.v1 import adapter_pb2
from tabard.v1 import registry_service_pb2 as pb
from tabard_registry import (
    ChannelMove,
    HistoryEntry,
    Problem,
    Release,
    Report,
    State,
    sha256_bytes,
)
from tabard_registry.release.release import Signature
from tabard_registry.report import Coverage
from tabard_server.errors import InvalidRequest
from tabard_server.publishing.author import ANONYMOUS
from tabard_server.rpc.registry.messages import (
    read_author,
    read_kind,
    read_purpose,
    write_history,
    write_move,
    write_release,
    write_report,
)
from tests.server.releases import member, release

STATE = State(registry_id="r", seq=0, head=sha256_bytes(b""))
MARKED = release(
    parent=sha256_bytes(b"parent"),
    members=(member(release("acme/pen"), weight=0.5),),
    publish_reason="asked for",
    yanked=True,
    yank_reason="muddy",
    quarantined=True,
    quarantine_reason="stolen",
    purged=True,
    purge_reason="asked to",
    signatures=(Signature(key_id="k", signature="s", seq=9),),
)


def silent(message: adapter_pb2.Release | pb.CheckReport) -> set[str]:
    """Return the fields that a message says nothing in."""
    said = {field.name for field, _value in message.ListFields()}
    return {field.name for field in message.DESCRIPTOR.fields} - said


def entry(seq: int, **changes: str) -> HistoryEntry:
    """Return an act of somebody."""
    return HistoryEntry(seq=seq, time="t", actor="ann", reason="why", type="promote", **changes)


def test_no_field_of_a_release_is_forgotten() -> None:
    """A release that says everything fills its message; how members stand is the state's."""
    message = write_release(MARKED, state=STATE)

    assert silent(message) == {"troubled_members"}
    assert (message.adapter, message.version) == ("acme/ink", "1.0.0")
    assert (message.kind, message.purpose) == (
        adapter_pb2.RELEASE_KIND_LORA,
        adapter_pb2.PURPOSE_STYLE,
    )
    assert message.parent_digest == str(sha256_bytes(b"parent"))
    assert [(one.adapter, one.weight) for one in message.members] == [("acme/pen", 0.5)]
    assert [(one.key_id, one.seq) for one in message.signatures] == [("k", 9)]


@pytest.mark.parametrize(
    ("previous", "told"),
    [(None, ("", "")), (release(), ("1.0.0", str(release().digest)))],
)
def test_new_channel_pointed_nowhere(previous: Release | None, told: tuple[str, str]) -> None:
    """A move says from where, or nothing."""
    current = release(version="2.0.0")
    move = ChannelMove(
        adapter=current.adapter,
        channel="stable",
        previous=previous,
        current=current,
        seq=4,
        moved=True,
    )

    message = write_move(move)

    assert (message.previous_version, message.previous_digest) == told
    assert (message.version, message.digest) == ("2.0.0", str(current.digest))
    assert (message.channel, message.seq, message.moved) == ("stable", 4, True)


def test_acts_of_one_record_stay_together() -> None:
    """Each record once, in order, with all of its acts."""
    entries = [entry(3, version="1.0.0"), entry(3, version="1.1.0"), entry(5, note="late")]

    records = write_history(entries)

    assert [record.seq for record in records] == [3, 5]
    assert [act.version for act in records[0].actions] == ["1.0.0", "1.1.0"]
    assert (records[1].actions[0].note, records[1].actor) == ("late", "ann")


def test_no_field_of_a_report_is_forgotten() -> None:
    """What the checks found is told whole."""
    report = Report(
        accepted=True,
        kind="lora",
        dialect="kohya",
        rank=4,
        target_count=1,
        tensor_count=3,
        tensors_applied=2,
        trigger_words=("inky",),
        problems=(Problem(reason="ODD", message="odd", remedy="mend", is_warning=True),),
        resident_bytes=9,
        training={"a": "b"},
        mode="rows",
        alphas=(2.0,),
        methods={"lora": 1},
        coverage=(Coverage(component="unet", kind="attention", changed=1, total=2),),
        base_family="sd1",
        base_fingerprint="sha256:0",
        base_match="same",
        declared={"c": "d"},
    )

    message = write_report(report)

    assert silent(message) == set()
    (problem,), (part,) = message.problems, message.coverage
    assert (problem.reason, problem.remedy, problem.is_warning) == ("ODD", "mend", True)
    assert (part.changed, part.total) == (1, 2)


@pytest.mark.parametrize("name", ["lora", "textual_inversion", "dreambooth", "recipe"])
def test_kinds_come_back(name: str) -> None:
    """What is written as a kind is read as the same; unspecified is nobody's wish."""
    number = write_release(release(kind=name), state=STATE).kind

    assert read_kind(number) == name
    assert read_kind(adapter_pb2.RELEASE_KIND_UNSPECIFIED) is None


def test_unknown_kind_is_refused() -> None:
    """A kind that is newer than this server is no other kind."""
    with pytest.raises(InvalidRequest) as caught:
        read_kind(99)

    assert caught.value.reason == "KIND_NOT_SUPPORTED"
    assert "lora" in caught.value.hint


@pytest.mark.parametrize(
    ("number", "name"), [(0, ""), (adapter_pb2.PURPOSE_STYLE, "style"), (99, "")]
)
def test_new_purpose_is_not_said(number: int, name: str) -> None:
    """A purpose changes nothing, so that one from a newer client is passed over."""
    assert read_purpose(number) == name


def test_author_is_who_the_message_says() -> None:
    """Actor, reason and key; silence is anonymous."""
    said = read_author(pb.YankRequest(actor="ann", reason="why", request_id="r"))

    assert (said.actor, said.reason, said.request_id) == ("ann", "why", "r")
    assert read_author(pb.YankRequest()).actor == ANONYMOUS
