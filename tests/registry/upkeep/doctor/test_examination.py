# SPDX-License-Identifier: Apache-2.0
"""The doctor: sound places pass, each kind of broken one is refused, and nothing is left behind."""

from datetime import timedelta
from pathlib import Path

import pytest

from tabard_registry.errors import UnusableRegistry
from tabard_registry.store import Store
from tabard_registry.store.folder import FolderStore
from tabard_registry.store.probe import ExpiryRule, Versioning
from tabard_registry.store.s3 import S3Store
from tabard_registry.upkeep.doctor import Check, Diagnosis, examine, require_safe
from tests.registry.fakes import MemoryStore
from tests.registry.upkeep.doctor.broken_stores import (
    NOW,
    Bucket,
    Fickle,
    Forbidding,
    Lagging,
    LosingWinner,
    TwoWinners,
    Unconditional,
    Undecided,
)
from tests.s3 import IS_REAL, s3_client


def found(diagnosis: Diagnosis, name: str) -> Check:
    """The check of that name."""
    return next(check for check in diagnosis.checks if check.name == name)


def examined(store: Store) -> Diagnosis:
    """Examine at a fixed time."""
    return examine(store, clock=lambda: NOW)


@pytest.mark.parametrize("kind", [MemoryStore, Bucket, Fickle])
def test_sound_store_passes(kind: type[MemoryStore]) -> None:
    """Everything is fine, and nothing is left behind."""
    store = kind()

    diagnosis = examined(store)

    assert [check for check in diagnosis.checks if check.verdict != "ok"] == []
    assert (diagnosis.verdict, diagnosis.is_safe) == ("ok", True)
    assert store.held == {}
    require_safe(store)
    assert store.held == {}


def test_folder_passes(tmp_path: Path) -> None:
    """A folder is examined as far as it goes, and stays an empty place."""
    store = FolderStore(tmp_path)

    diagnosis = examined(store)

    assert diagnosis.verdict == "ok"
    assert {check.name for check in diagnosis.checks} >= {"racing create", "latency", "place"}
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    require_safe(store)


def test_bucket_passes(s3_url: str) -> None:
    """A whole examination over HTTP; probes are removed and no check is left out."""
    store = S3Store(s3_url)

    diagnosis = examine(store)

    assert diagnosis.is_safe, diagnosis
    assert [check.name for check in diagnosis.checks] == [
        "place",
        "missing object",
        "second create",
        "racing create",
        "listing",
        "stale If-Match",
        "lifecycle rules",
        "versioning",
        "clock",
        "latency",
    ]
    if IS_REAL:
        assert diagnosis.verdict == "ok", diagnosis
    assert list(store.objects("")) == []


@pytest.mark.parametrize(
    ("store", "name", "told"),
    [
        (TwoWinners, "racing create", "16 creates were told that they had won"),
        (LosingWinner, "racing create", "does not hold what the winner wrote"),
        (Undecided, "racing create", "none of 10 races"),
        (Unconditional, "second create", "ignores the condition"),
    ],
)
def test_unsafe_store_is_refused(store: type[MemoryStore], name: str, told: str) -> None:
    """A store that would lose records fails, in full and at a server's start, with a way out."""
    check = found(examined(store()), name)

    assert check.verdict == "fail"
    assert told in check.detail
    assert check.remedy
    with pytest.raises(UnusableRegistry, match=name) as caught:
        require_safe(store())
    assert caught.value.reason == "UNSAFE_STORE"
    assert "--single-writer" in caught.value.hint
    assert "TABARD_SINGLE_WRITER=true" in caught.value.hint


def test_sequential_checks_do_not_see_the_race() -> None:
    """The store that elects several winners passes everything that asks one after the other."""
    diagnosis = examined(TwoWinners())

    assert [check.name for check in diagnosis.checks if check.verdict != "ok"] == ["racing create"]


@pytest.mark.parametrize(
    ("act", "name"),
    [("read missing", "missing object"), ("create", "second create"), ("list", "place")],
)
def test_refusal_is_told(act: str, name: str) -> None:
    """What the store refuses is in the report with its remedy; nothing is tried after it."""
    store = Forbidding(act)

    diagnosis = examined(store)

    assert diagnosis.checks[-1] == found(diagnosis, name)
    assert found(diagnosis, name).remedy == "Grant it."
    assert not diagnosis.is_safe
    assert store.held == {}


def test_leftover_probes_are_told() -> None:
    """A role that may not delete gets a warning that names what lies there."""
    store = Forbidding("delete")

    diagnosis = examined(store)

    assert diagnosis.verdict == "warn"
    assert "doctor/" in found(diagnosis, "delete").detail
    assert store.held
    assert all(key.startswith("doctor/") for key in store.held)


def test_strange_place_is_not_touched() -> None:
    """A place that holds something else is refused before anything is written."""
    store = MemoryStore()
    store.held["holiday.jpg"] = b"x"

    diagnosis = examined(store)

    assert "holiday.jpg" in found(diagnosis, "place").detail
    assert not diagnosis.is_safe
    assert list(store.held) == ["holiday.jpg"]


def test_registry_is_examined_in_use() -> None:
    """The objects of a registry are no strangers, and stay."""
    store = MemoryStore()
    store.held |= {"format.json": b"f", "log/1": b"x"}

    assert "holds a registry" in found(examined(store), "place").detail
    assert list(store.held) == ["format.json", "log/1"]


def test_lagging_listing_is_a_warning() -> None:
    """The log never lists, so a late listing endangers nothing."""
    assert found(examined(Lagging()), "listing").verdict == "warn"


def test_if_match_is_information() -> None:
    """Which form of a tag a store takes is told; ignoring stale ones is a warning only."""
    bare, ignoring = Bucket(), Bucket()
    bare.takes = {"{}"}
    ignoring.takes = {"any"}

    assert "taken unquoted" in found(examined(bare), "stale If-Match").detail
    assert found(examined(ignoring), "stale If-Match").verdict == "warn"


@pytest.mark.parametrize(("deletes", "verdict"), [(True, "fail"), (False, "warn")])
def test_lifecycle_rules_are_named(deletes: bool, verdict: str) -> None:
    """A rule that deletes log objects is refused, one that moves them is told."""
    store = Bucket()
    store.rules = (ExpiryRule(name="tidy", prefix="log/", deletes=deletes),)

    check = found(examined(store), "lifecycle rules")

    assert check.verdict == verdict
    assert "tidy" in check.detail


@pytest.mark.parametrize("versioning", [Versioning.ON, Versioning.SUSPENDED])
def test_versioning_is_a_warning(versioning: Versioning) -> None:
    """A delete marker re-opens a slot: the remedy forbids deleting."""
    store = Bucket()
    store.versions = versioning

    check = found(examined(store), "versioning")

    assert check.verdict == "warn"
    assert "s3:DeleteObject" in check.remedy


@pytest.mark.parametrize(("minutes", "told"), [(-5, "300 s behind"), (20, "1200 s ahead")])
def test_clock_skew_is_told(minutes: int, told: str) -> None:
    """How far and in which direction."""
    store = Bucket()
    store.clock = NOW + timedelta(minutes=minutes)

    check = found(examined(store), "clock")

    assert (check.verdict, told in check.detail) == ("warn", True)


def test_silent_rules_are_a_warning() -> None:
    """What a role may not ask does not stop the examination."""
    store = Bucket()
    store.is_silent = True

    diagnosis = examined(store)

    assert (found(diagnosis, "clock").verdict, diagnosis.is_safe) == ("warn", True)


def test_slow_store_is_a_warning() -> None:
    """Latency is measured by the timer that is passed in."""
    ticks = iter(range(0, 1000, 2))

    diagnosis = examine(MemoryStore(), clock=lambda: NOW, timer=lambda: float(next(ticks)))

    assert found(diagnosis, "latency").verdict == "warn"
    assert "2000.0 ms" in found(diagnosis, "latency").detail


def test_rules_of_a_real_bucket_are_read(s3_url: str) -> None:
    """Lifecycle and versioning come from the bucket; rules elsewhere or off do not matter."""
    bucket, _, prefix = s3_url.removeprefix("s3://").partition("/")
    client, probe = s3_client(), S3Store(s3_url).probe()
    assert (probe.versioning(), probe.expiry_rules()) == (Versioning.OFF, ())
    rules = [
        {"ID": name, "Status": status, "Filter": {"Prefix": place}, "Expiration": {"Days": 9}}
        for name, status, place in [
            ("elsewhere", "Enabled", "other/"),
            ("off", "Disabled", f"{prefix}/log/"),
            ("above", "Enabled", "team/"),
            ("below", "Enabled", f"{prefix}/log/0"),
        ]
    ]

    client.put_bucket_lifecycle_configuration(
        Bucket=bucket, LifecycleConfiguration={"Rules": rules}
    )
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})

    assert {rule.name for rule in probe.expiry_rules()} == {"above", "below"}
    assert all(rule.deletes for rule in probe.expiry_rules())
    assert probe.versioning() is Versioning.ON
