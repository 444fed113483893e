# SPDX-License-Identifier: Apache-2.0
"""The registry's values as messages: no field forgotten, and what callers say read back."""

from dataclasses import replace

import pytest

from tabard.v1 import adapter_pb2
from tabard.v1 import registry_service_pb2 as pb
from tabard_registry import (
    Adapter,
    ChannelMove,
    HistoryEntry,
    InvalidName,
    Problem,
    Release,
    Report,
    State,
    sha256_bytes,
)
from tabard_registry.identity.identity import ANYBODY
from tabard_registry.log.records import TOKEN
from tabard_registry.release.health import EvidenceNote, Health, Told
from tabard_registry.release.release import Signature
from tabard_registry.release.sampling import Sampling
from tabard_registry.report import Coverage
from tabard_registry.state.meanings import MEANINGS
from tabard_server.errors import InvalidRequest
from tabard_server.publishing.author import ANONYMOUS
from tabard_server.rpc.names import names_of
from tabard_server.rpc.registry.messages import (
    RELEASES_SHOWN_MAX,
    read_author,
    read_kind,
    read_member,
    read_purpose,
    write_acts,
    write_adapter,
    write_move,
    write_release,
    write_report,
)
from tests.server.releases import member, release

TIME = "2030-01-01T00:00:00.500000Z"
STATE = State(registry_id="r", seq=0, head=sha256_bytes(b""))
SHOWN = EvidenceNote(
    kind="previews",
    document=sha256_bytes(b"previews"),
    told=Told(seq=10, time=TIME, actor="ann"),
)
MARKED = release(
    health=Health(evidence=(SHOWN,)),
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
    sampling=Sampling(samplers=("lcm",)),
)


def silent(message: adapter_pb2.Release | pb.CheckReport) -> set[str]:
    """Return the fields that a message says nothing in."""
    said = {field.name for field, _value in message.ListFields()}
    return {field.name for field in message.DESCRIPTOR.fields} - said


def entry(seq: int, **changes: str) -> HistoryEntry:
    """Return an act of somebody."""
    return HistoryEntry(seq=seq, time=TIME, actor="ann", reason="why", type="promote", **changes)


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
    assert message.previews_digest == str(sha256_bytes(b"previews"))
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
    """In order, and the record says what its first act says."""
    entries = [entry(3, version="1.0.0"), entry(3, version="1.1.0")]

    record = write_acts(entries)

    assert (record.seq, record.actor, record.HasField("time")) == (3, "ann", True)
    assert [act.version for act in record.actions] == ["1.0.0", "1.1.0"]
    assert [act.type for act in record.actions] == [adapter_pb2.ACTION_TYPE_PROMOTE] * 2


def test_what_no_enum_has_is_told_as_unspecified() -> None:
    """An act of a newer Tabard is in the history, and so is a clock that cannot be read."""
    strange = replace(entry(3, note="unknown act 'dance'"), type="dance", time="teatime")

    record = write_acts([strange])

    assert record.actions[0].type == adapter_pb2.ACTION_TYPE_UNSPECIFIED
    assert "dance" in record.actions[0].note
    assert not record.HasField("time")


def test_every_act_has_its_member() -> None:
    """What the log may hold, and this Tabard understands, can be told; of tokens nothing is."""
    assert set(names_of(adapter_pb2.ActionType.DESCRIPTOR)) == set(MEANINGS) - {TOKEN}


def test_long_line_is_shown_with_its_newest_releases() -> None:
    """As many as there is room for, and how many there are."""
    releases = [release(version=f"1.{number}.0") for number in range(40)]
    line = Adapter(
        name=releases[0].adapter,
        by_version={one.version: one for one in releases},
        by_digest={sha256_bytes(str(one.version).encode()): one for one in releases},
        channels={},
    )

    shown = write_adapter(line, state=STATE, bytes_max=1 << 20)
    little = write_adapter(line, state=STATE, bytes_max=1)

    assert (shown.release_count, len(shown.releases)) == (40, RELEASES_SHOWN_MAX)
    assert shown.releases[0].version == "1.39.0"
    assert [one.version for one in little.releases] == ["1.39.0"]


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
        coverage=(Coverage(component="unet", kind="feed_forward", changed=1, total=2),),
        base_family="sd1",
        base_fingerprint="sha256:0",
        base_match="same",
        declared={"c": "d"},
        sampling={"samplers": ["lcm"]},
    )

    message = write_report(report)

    assert silent(message) == set()
    (problem,), (part,) = message.problems, message.coverage
    assert (problem.reason, problem.remedy, problem.is_warning) == ("ODD", "mend", True)
    assert (part.changed, part.total, part.kind) == (1, 2, pb.MODULE_KIND_FEED_FORWARD)
    assert (message.mode, message.base_match) == (pb.WEAR_MODE_ROWS, pb.BASE_MATCH_SAME)


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
    said = read_author(pb.YankRequest(actor="ann", reason="why", request_id="r"), identity=ANYBODY)

    assert (said.actor, said.reason, said.request_id) == ("ann", "why", "r")
    assert read_author(pb.YankRequest(), identity=ANYBODY).actor == ANONYMOUS


@pytest.mark.parametrize(
    ("said", "weight"),
    [
        ({"ref": "acme/ink"}, 1.0),
        ({"ref": "acme/ink:0.5"}, 0.5),
        ({"ref": "acme/ink", "weight": 0.5}, 0.5),
        ({"ref": "acme/ink", "weight": 0.0}, 0.0),
        ({"ref": "acme/ink@1.0.0:0.5", "weight": 0.5}, 0.5),
    ],
)
def test_weight_in_the_ref_or_beside_it(said: dict[str, object], weight: float) -> None:
    """Zero is a weight, and silence is none."""
    assert read_member(adapter_pb2.WeightedRef(**said)).weight == weight  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("weight", "reason"),
    [(0.6, "WEIGHT_AMBIGUOUS"), (float("nan"), "WEIGHT_AMBIGUOUS"), (1e9, "WEIGHT_AMBIGUOUS")],
)
def test_two_weights_are_refused(weight: float, reason: str) -> None:
    """Which of them is meant is not guessed."""
    with pytest.raises(InvalidName) as caught:
        read_member(adapter_pb2.WeightedRef(ref="acme/ink:0.5", weight=weight))

    assert caught.value.reason == reason


@pytest.mark.parametrize("weight", [float("nan"), float("inf"), 1e9])
def test_impossible_weight_is_refused(weight: float) -> None:
    """Beside the ref as within it."""
    with pytest.raises(InvalidName) as caught:
        read_member(adapter_pb2.WeightedRef(ref="acme/ink", weight=weight))

    assert caught.value.reason == "INVALID_WEIGHT"


def test_member_with_controls_is_refused() -> None:
    """A recipe's own list has weights; controls are said where it is drawn."""
    member = adapter_pb2.WeightedRef(ref="acme/ink", controls=adapter_pb2.AdapterControls(unet=1.0))

    with pytest.raises(InvalidRequest) as caught:
        read_member(member)

    assert caught.value.violations[0].reason == "CONTROL_NOT_SERVED"
