# SPDX-License-Identifier: Apache-2.0
"""The doctor: sound places pass, each kind of broken one is refused, and nothing is left behind."""

from pathlib import Path

import pytest

from tabard_registry.errors import UnusableRegistry
from tabard_registry.store.folder import FolderStore
from tabard_registry.store.s3 import S3Store
from tabard_registry.upkeep.doctor import examine, require_safe
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
from tests.registry.upkeep.doctor.examinations import examined, found
from tests.s3 import IS_REAL


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
    assert diagnosis.is_vacant
    assert list(tmp_path.iterdir()) == []
    require_safe(store)
    assert list(tmp_path.iterdir()) == []


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


def test_slow_store_is_a_warning() -> None:
    """Latency is measured by the timer that is passed in."""
    ticks = iter(range(0, 1000, 2))

    diagnosis = examine(MemoryStore(), clock=lambda: NOW, timer=lambda: float(next(ticks)))

    assert found(diagnosis, "latency").verdict == "warn"
    assert "2000.0 ms" in found(diagnosis, "latency").detail
