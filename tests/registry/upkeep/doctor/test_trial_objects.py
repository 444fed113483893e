# SPDX-License-Identifier: Apache-2.0

from pathlib import Path

from tabard_registry.store.folder import FolderStore
from tabard_registry.upkeep.doctor.trial_objects import TrialObjects
from tests.registry.fakes import MemoryStore
from tests.registry.upkeep.doctor.broken_stores import Forbidding
from tests.registry.upkeep.doctor.examinations import examined, found


def test_leftover_probes_are_told() -> None:
    """A role that may not delete gets a warning that names what lies there."""
    store = Forbidding("delete")

    diagnosis = examined(store)

    assert diagnosis.verdict == "warn"
    assert "doctor/" in found(diagnosis, "delete").detail
    assert store.held
    assert all(key.startswith("doctor/") for key in store.held)


def test_everything_named_is_removed() -> None:
    """Also what was never made; what others made stays."""
    store = MemoryStore()
    trials, others = TrialObjects(store), TrialObjects(store)
    store.create(trials.key("made"), body=b"x")
    trials.key("not made")
    kept = others.key("made")
    store.create(kept, body=b"x")

    assert trials.remove() is None

    assert list(store.held) == [kept]


def test_folders_made_are_removed(tmp_path: Path) -> None:
    """Those that were there, or hold something by now, stay."""
    (tmp_path / "kept").mkdir()
    store, other = FolderStore(tmp_path / "kept/a/b"), FolderStore(tmp_path / "kept/a/c")
    trials, more = TrialObjects(store), TrialObjects(other)
    for one in (trials, more):
        one.store.create(one.key("made"), body=b"x")
    (tmp_path / "kept/a/b/mine").touch()

    assert (trials.remove(), more.remove()) == (None, None)

    assert sorted(tmp_path.rglob("*")) == [
        tmp_path / path for path in ("kept", "kept/a", "kept/a/b", "kept/a/b/mine")
    ]


def test_refusal_is_asked_for_once() -> None:
    """A role that may not delete is told, and nothing is tried a second time."""
    store = Forbidding("delete")
    trials = TrialObjects(store)
    store.create(trials.key("one"), body=b"x")

    refusal = trials.remove()

    assert refusal is not None and refusal.hint == "Grant it."
    assert trials.remove() is None
