# SPDX-License-Identifier: Apache-2.0
"""The commands that care for a registry where it lies: answers, exit codes, nothing by accident."""

import sys
from pathlib import Path

import pytest

from tabard.cli import exit_codes
from tabard.cli.local import registry as on_site
from tabard_registry import Registry, errors
from tabard_registry.log.slots import slot_key
from tabard_registry.store.folder import FolderStore
from tests.clients.cli.conftest import Tabard
from tests.registry.fakes import counted_ids, fixed_clock, promote, publish, ref


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A registry with a release, garbage and no checkpoint, in a folder."""
    monkeypatch.delenv("TABARD_REGISTRY", raising=False)
    place = tmp_path / "registry"
    registry = Registry.open(str(place), clock=fixed_clock(), new_id=counted_ids())
    publish(registry, "1.0.0", folder=tmp_path)
    promote(registry, "1.0.0")
    registry.blobs.put_bytes(b"garbage")
    return place


def objects(place: Path) -> set[str]:
    """Keys of a folder."""
    return {one.key for one in FolderStore(place).objects("")}


def test_sound_registry_exits_zero(tabard: Tabard, place: Path) -> None:
    """The answer says what was looked at."""
    ran = tabard("fsck", place, "--deep")

    assert (ran.code, ran.err) == (0, "")
    assert "sound: 2 records, 0 checkpoints, 3 blobs" in ran.out and "hashed" in ran.out
    assert "info: blob/" in ran.out


def test_damaged_registry_exits_eight(tabard: Tabard, place: Path) -> None:
    """Every finding names its object and the remedy, for people and as JSON."""
    (place / slot_key(2)).write_bytes(b"{}")

    ran, as_json = tabard("fsck", place), tabard("fsck", place, "--json")

    assert (ran.code, as_json.code) == (exit_codes.DAMAGED, exit_codes.DAMAGED)
    assert slot_key(2) in ran.out and "Restore" in ran.out and "damaged: " in ran.out
    assert not as_json.document["is_sound"]
    assert as_json.document["findings"][0]["severity"] == "error"


def test_damage_stops_other_commands(tabard: Tabard, place: Path) -> None:
    """What cannot be opened exits with the same code, and with the library's hint."""
    (place / slot_key(2)).write_bytes(b"{}")

    ran = tabard("checkpoint", place)

    assert ran.code == exit_codes.DAMAGED
    assert "reason: CORRUPT_RECORD" in ran.err and "hint: Restore" in ran.err


def test_variable_names_the_registry(
    tabard: Tabard, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every command takes the registry from the environment when it is not named."""
    monkeypatch.setenv("TABARD_REGISTRY", str(place))

    codes = [tabard(*one.split()).code for one in ("fsck", "gc", "checkpoint", "key list")]
    ran = tabard("export", tmp_path / "export")

    assert (codes, ran.code) == ([0] * 4, 0)
    assert (tmp_path / "export" / "format.json").exists()


@pytest.mark.parametrize("arguments", [("fsck",), ("gc",), ("export", "x"), ("import", "x")])
def test_registry_must_be_named(
    tabard: Tabard, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    """Somewhere."""
    monkeypatch.delenv("TABARD_REGISTRY", raising=False)

    assert tabard(*arguments).code == exit_codes.USAGE


def test_nothing_is_made_by_looking(tabard: Tabard, tmp_path: Path) -> None:
    """A place without a registry is refused, and stays as it was."""
    for name in ("fsck", "gc", "checkpoint"):
        ran = tabard(name, tmp_path / "nowhere")

        assert ran.code == exit_codes.INVALID
        assert "reason: NOT_A_REGISTRY" in ran.err
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("said", [(), ("--dry-run",)])
def test_gc_only_tells_unless_told_to_run(
    tabard: Tabard, place: Path, said: tuple[str, ...]
) -> None:
    """Without --run nothing is changed; with it, the same is deleted."""
    before = objects(place)

    told = tabard("gc", place, "--min-age", "0", *said)
    after_telling = objects(place)
    done = tabard("gc", place, "--min-age", "0", "--run", "--json")

    assert (told.code, after_telling) == (0, before)
    assert "would delete blobs" in told.out and "add --run" in told.out
    assert (done.document["blobs"], done.document["collections"]) == (1, [3])
    (gone,) = before - objects(place)
    assert [gone] == done.document["keys"]
    assert gone in told.out


def test_gc_spares_what_is_young(tabard: Tabard, place: Path) -> None:
    """A week, unless another age is given; the history says who collected, and why."""
    young = tabard("gc", place, "--run", "--json")
    tabard("gc", place, "--run", "--min-age", "0s", "--reason", "spring cleaning")

    assert (young.document["blobs"], young.document["young"]) == (0, 1)
    intent = Registry.open(str(place)).since(2)[0]
    assert (intent.actor, intent.reason) == ("alice", "spring cleaning")


@pytest.mark.parametrize("age", ["week", "-1d", "7 d", "1.5h", ""])
def test_odd_ages_are_refused(tabard: Tabard, place: Path, age: str) -> None:
    """A span that cannot be read is a wrong command line."""
    assert tabard("gc", place, f"--min-age={age}").code == exit_codes.USAGE


def test_checkpoint_is_written_once(tabard: Tabard, place: Path) -> None:
    """The second time there is nothing new."""
    first, second = tabard("checkpoint", place, "--json"), tabard("checkpoint", place)

    assert first.document["written"] and first.document["seq"] == 2
    assert "already" in second.out
    assert first.document["key"] in objects(place)


def test_export_and_import_copy_everything(tabard: Tabard, place: Path, tmp_path: Path) -> None:
    """There and back again: the same id, sound; and again: nothing to do."""
    export, copy = tmp_path / "export", tmp_path / "copy"

    out = tabard("export", place, export, "--json")
    back = tabard("import", export, copy, "--json")
    again = tabard("import", export, copy)

    assert (out.code, back.code, again.code) == (0, 0, 0)
    assert out.document["registry_id"] == back.document["registry_id"] == "id-1"
    assert (back.document["records"], back.document["blobs"]) == (2, 3)
    assert tabard("fsck", copy, "--deep").code == 0


def test_import_refuses_another_registry(tabard: Tabard, place: Path, tmp_path: Path) -> None:
    """Nothing is overwritten."""
    Registry.open(str(tmp_path / "other"))
    before = objects(tmp_path / "other")

    ran = tabard("import", place, tmp_path / "other")

    assert ran.code == exit_codes.INVALID
    assert "another registry" in ran.err and objects(tmp_path / "other") == before


@pytest.mark.parametrize("name", ["fsck", "gc", "checkpoint"])
def test_missing_extra_is_named(
    tabard: Tabard, place: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A base install says what to install."""
    monkeypatch.setitem(sys.modules, "tabard_registry", None)
    for part in ("upkeep.fsck.fsck", "upkeep.garbage"):
        monkeypatch.setitem(sys.modules, f"tabard_registry.{part}", None)

    ran = tabard(name, place)

    assert ran.code == exit_codes.PRECONDITION
    assert "hint: pip install 'tabard[registry]'" in ran.err


def test_every_library_error_is_told() -> None:
    """Each class of the library's tree has a class of the SDK's."""
    tree = {one.__name__ for one in errors.RegistryError.__subclasses__()}

    assert tree == set(on_site.ERRORS)


def test_purged_release_is_collected(tabard: Tabard, place: Path) -> None:
    """What a purge could not delete, gc does, whatever its age."""
    registry = Registry.open(str(place))
    keep = registry.resolve(ref("1.0.0")).blobs
    registry.purge(ref("1.0.0"), actor="ann", reason="consent withdrawn")
    left = next(iter(keep))
    path = place / f"blob/sha256/{left.hex[:2]}/{left.hex[2:]}"
    path.write_bytes(b"left by a purge that was interrupted")

    damaged = tabard("fsck", place)
    tabard("gc", place, "--run")

    assert damaged.code == exit_codes.DAMAGED and "purged" in damaged.out
    assert not path.exists()
    assert tabard("fsck", place).code == 0
