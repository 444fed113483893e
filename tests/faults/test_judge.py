# SPDX-License-Identifier: Apache-2.0
"""The judge of the kills sees what it is there to see: acts that are lost, doubled or misplaced."""

from dataclasses import replace
from pathlib import Path

import pytest

from tabard_registry import Author, Registry
from tests.faults.asked import Asked, Notes
from tests.faults.judge import Entry, entries_of, judge, judge_channels
from tests.registry.fakes import NAME, publish, ref

VERSIONS = ("1.0.0", "1.1.0")


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """An empty registry in a folder."""
    return Registry.open(str(tmp_path / "registry"))


@pytest.fixture
def asked(registry: Registry, tmp_path: Path) -> list[Asked]:
    """Two releases, each promoted once, one after the other; then one rollback."""
    notes = Notes()
    for version in VERSIONS:
        one = notes.begin(f"publish-{version}", type="publish", adapter=str(NAME))
        found = publish(registry, version, folder=tmp_path, request_id=one.request_id)
        one.version, one.digest = version, str(found.release.digest)
        notes.end(one, "acknowledged")
        one = notes.begin(f"move-{version}", type="promote", adapter=str(NAME), channel="stable")
        _moved(registry, one, ref(version))
        notes.end(one, "acknowledged")
    one = notes.begin("back", type="rollback", adapter=str(NAME), channel="stable")
    _moved(registry, one, None)
    notes.end(one, "acknowledged")
    return notes.seen()


def _moved(registry: Registry, one: Asked, to: object) -> None:
    author = Author(actor="ann", reason="x", request_id=one.request_id)
    if to is None:
        move = registry.roll_back(NAME, channel="stable", author=author)
    else:
        move = registry.promote(to, channel="stable", author=author)  # type: ignore[arg-type]
    one.version, one.digest = str(move.current.version), str(move.current.digest)
    one.previous_digest = str(move.previous.digest) if move.previous else ""


def _changed(asked: list[Asked], request_id: str, **fields: object) -> list[Asked]:
    return [
        replace(one, **fields) if one.request_id == request_id else one  # type: ignore[arg-type]
        for one in asked
    ]


def _without(entries: list[Entry], request_id: str) -> list[Entry]:
    return [entry for entry in entries if entry.action.request_id != request_id]


def test_sound_log_has_no_complaint(registry: Registry, asked: list[Asked]) -> None:
    """Everything is as it was answered; what got no answer may be there, or not."""
    entries = entries_of(registry.since(0))
    open_ones = [replace(one, outcome="open") for one in asked]

    assert len(entries) == len(asked) == 5
    assert [*judge(entries, asked=asked), *judge_channels(entries, state=registry.state)] == []
    assert list(judge(entries, asked=open_ones)) == []
    assert list(judge([], asked=open_ones)) == []


def test_lost_and_doubled_acts_are_seen(registry: Registry, asked: list[Asked]) -> None:
    """Exactly once: neither never nor twice, with or without an answer."""
    entries = entries_of(registry.since(0))
    again = [*entries, replace(entries[-1], position=(99, 0))]

    lost = list(judge(_without(entries, "back"), asked=asked))
    doubled = list(judge(again, asked=_changed(asked, "back", outcome="given up")))

    assert len(lost) == len(doubled) == 1
    assert "lost" in lost[0]
    assert "doubled" in doubled[0]


@pytest.mark.parametrize("outcome", ["refused", "unchanged"])
def test_acts_that_never_were_are_seen(
    registry: Registry, asked: list[Asked], outcome: str
) -> None:
    """What was refused, or found to be so already, must not be in the log."""
    (complaint,) = judge(
        entries_of(registry.since(0)), asked=_changed(asked, "back", outcome=outcome)
    )

    assert f"was {outcome}, and is in the log" in complaint


@pytest.mark.parametrize("field", ["digest", "previous_digest", "channel"])
def test_other_answers_are_seen(registry: Registry, asked: list[Asked], field: str) -> None:
    """The caller was told something else than what the log holds."""
    complaints = judge(entries_of(registry.since(0)), asked=_changed(asked, "back", **{field: "x"}))

    assert len(list(complaints)) == 1


def test_acts_out_of_their_order_are_seen(registry: Registry, asked: list[Asked]) -> None:
    """What was acknowledged first stands behind what was asked for after it."""
    first, *others = entries_of(registry.since(0))
    behind = [*others, replace(first, position=(99, 0))]

    (complaint,) = judge(behind, asked=asked)

    assert "stands behind" in complaint


def test_channels_elsewhere_are_seen(registry: Registry, asked: list[Asked]) -> None:
    """A move that is gone breaks the chain, and a fold that missed one is elsewhere."""
    entries = entries_of(registry.since(0))

    broken = list(judge_channels(_without(entries, "move-1.1.0"), state=registry.state))
    elsewhere = list(judge_channels(_without(entries, "back"), state=registry.state))

    assert "does not follow" in broken[0]
    assert "was moved to" in elsewhere[0]
