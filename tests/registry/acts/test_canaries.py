# SPDX-License-Identifier: Apache-2.0
"""Steps of a canary as acts on a registry."""

import dataclasses
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tabard_registry import Author, Grants, Registry, Role
from tabard_registry.acts import CanaryName, end_canary, raise_share
from tabard_registry.errors import InvalidField, RegistryError
from tabard_registry.log import records
from tabard_registry.log.records import CANARY
from tabard_registry.release.canary import Canary
from tabard_registry.release.gates import Gate
from tabard_registry.state.sight import seen_by, told_to
from tests.registry.canary_acts import (
    FIGURES,
    POLICY,
    SERVER,
    SHARES,
    complaint,
    pair,
    started,
    write,
)
from tests.registry.fakes import NAME, promote, publish, ref

ANN = Author(actor="ann", reason="because")


@pytest.fixture
def registry(registry: Registry, tmp_path: Path) -> Registry:
    """Three releases; the first is stable."""
    for seed, version in enumerate(("1.0.0", "1.1.0", "1.2.0")):
        publish(registry, version, folder=tmp_path, seed=seed)
    promote(registry, "1.0.0")
    return registry


def stable(registry: Registry) -> str:
    """What the channel points to."""
    return str(registry.state.adapters[NAME].channels["stable"].version)


def canary_in(registry: Registry, name: CanaryName) -> Canary:
    """The canary as it is now."""
    return name.find(registry.state)[1]


def refused(registry: Registry, version: str = "1.1.0", **terms: Any) -> str:
    """The reason why a canary does not start."""
    with pytest.raises(RegistryError) as error:
        started(registry, version, **terms)
    return error.value.reason


def test_start_is_refused_with_a_reason(registry: Registry) -> None:
    """Before anything is written."""
    seq = registry.seq
    assert refused(registry, channel="beta") == "CHANNEL_NOT_FOUND"
    assert refused(registry, "1.0.0") == "CANARY_WITHOUT_BASELINE"
    assert refused(registry, "9.0.0") == "RELEASE_NOT_FOUND"
    assert refused(registry, shares=(0.5, 0.2)) == "FIELD_INVALID"
    assert refused(registry, policy={**POLICY, "units_max": 10**6}) == "FIELD_INVALID"
    assert registry.seq == seq

    name, _ = started(registry)
    assert refused(registry, "1.2.0") == "CANARY_OPEN"
    registry.commit(end_canary(name, verdict="stopped"), author=ANN)
    assert refused(registry) == "CANARY_SPENT"
    registry.quarantine(ref("1.2.0"), author=ANN)
    assert refused(registry, "1.2.0") == "RELEASE_QUARANTINED"


def test_replicas_write_and_agree(registry: Registry) -> None:
    """Two processes judge the same prompts: each is counted once, and both know the same."""
    name, _ = started(registry)
    other = Registry.open(registry.url)

    write(registry, name, pair("a", -0.5), pair("b"))
    late = write(other, name, pair("b", 0.9), pair("c"), complaint("x"))
    nothing = write(registry, name, pair("a"), pair("c", -0.9))
    registry.catch_up()

    assert late.seq > 0
    assert nothing.seq == 0
    expected = (pair("a", -0.5), pair("b"), pair("c"), complaint("x"))
    assert canary_in(registry, name).seen == canary_in(other, name).seen == expected
    assert list(registry.state.adapters[NAME].canaries) == list(other.state.adapters[NAME].canaries)


def test_share_is_raised_once(registry: Registry) -> None:
    """Two replicas that decide at once make one step."""
    name, _ = started(registry)

    first = registry.commit(raise_share(name, share=0.05), author=SERVER)
    again = registry.commit(raise_share(name, share=0.05), author=SERVER)

    assert (first.seq > 0, again.seq) == (True, 0)
    assert canary_in(registry, name).share == SHARES[0]


def test_end_is_said_once(registry: Registry) -> None:
    """By whoever comes first."""
    name, _ = started(registry)
    registry.commit(end_canary(name, verdict="rolled_back", figures=FIGURES), author=SERVER)

    for act in (end_canary(name, verdict="success"), raise_share(name, share=0.05)):
        with pytest.raises(RegistryError) as error:
            registry.commit(act, author=SERVER)
        assert error.value.reason == "CANARY_ENDED"


def test_held_canary_takes_no_success(registry: Registry) -> None:
    """It serves what it served, until people decide."""
    gates = {"stable": Gate(promote_on_success=True)}
    registry.set_policy("acme", channels=gates, author=SERVER)
    name, _ = started(registry)
    registry.commit(raise_share(name, share=0.05), author=SERVER)
    registry.commit(end_canary(name, verdict="inconclusive", said="no scorer"), author=SERVER)

    for act in (end_canary(name, verdict="success"), raise_share(name, share=0.25)):
        with pytest.raises(RegistryError, match="until people decide"):
            registry.commit(act, author=SERVER)

    assert (stable(registry), canary_in(registry, name).share) == ("1.0.0", 0.05)
    promote(registry, "1.1.0")
    assert canary_in(registry, name).verdict == "stopped"


def test_rollback_is_one_record(registry: Registry) -> None:
    """The channel is back, and history says where it was at any time, and why."""
    promote(registry, "1.1.0")
    before = datetime.fromisoformat(registry.since(0)[-1].record.time)
    name, _ = started(registry)
    seq = registry.seq

    said = end_canary(name, verdict="rolled_back", figures=FIGURES, said="worse")
    registry.commit(said, author=SERVER)

    assert (registry.seq, stable(registry)) == (seq + 1, "1.0.0")
    entry = registry.queries.history(NAME)[-1]
    assert (entry.type, entry.actor, entry.on_behalf_of) == (CANARY, "server", "ann")
    assert (entry.version, entry.channel, entry.is_move) == ("1.0.0", "stable", True)
    later = datetime(2100, 1, 1, tzinfo=UTC)
    for adapter in (NAME, None):
        versions = [
            str(registry.queries.served_at(at, adapter=adapter)[0].release.version)
            for at in (before, later)
        ]
        assert versions == ["1.1.0", "1.0.0"]


def test_stop_needs_a_reason(registry: Registry) -> None:
    """Those who read the history later want to know."""
    name, _ = started(registry)

    with pytest.raises(InvalidField, match="needs a reason"):
        registry.commit(end_canary(name, verdict="stopped"), author=Author(actor="ann"))


def test_older_program_stops_at_a_canary(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would go on serving what the end of one has taken back."""
    started(registry)
    monkeypatch.setattr(records, "RECORD_VERSION_MAX", 3)

    with pytest.raises(RegistryError) as error:
        Registry.open(registry.url)

    assert error.value.reason == "NEWER_PROTOCOL"


def test_canary_takes_the_role_promote(registry: Registry) -> None:
    """At the log, whatever a door has asked before."""
    allowed = Grants({"acme": frozenset({Role.PROMOTE})})
    others = Grants({"acme": frozenset({Role.PUBLISH, Role.REVIEW, Role.GENERATE})})
    name, _ = started(registry)
    stop = end_canary(name, verdict="stopped")

    with pytest.raises(RegistryError) as error:
        registry.commit(stop, author=dataclasses.replace(ANN, grants=others))
    registry.commit(stop, author=dataclasses.replace(ANN, grants=allowed))

    assert error.value.reason == "ROLE_MISSING"


def test_private_canary_is_unseen(registry: Registry) -> None:
    """No state and no step of it is told to somebody else."""
    name, seq = started(registry)
    write(registry, name, pair("a"))
    registry.set_policy("acme", private=True, author=ANN)
    stranger = Grants({"other": frozenset({Role.ADMIN})})

    seen = seen_by(registry.state, stranger)
    told = [told_to(one, state=registry.state, grants=stranger) for one in registry.since(seq - 1)]

    assert (seen.canaried, list(seen.names())) == (frozenset(), [])
    assert [one.record.actions for one in told] == [()] * 3
    assert not registry.queries.history(grants=stranger)
