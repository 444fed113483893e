# SPDX-License-Identifier: Apache-2.0
"""`tabard restore`: into an empty place and nowhere else; the history is whole, and goes on."""

import re
import shutil
from pathlib import Path

from tabard.cli import exit_codes
from tabard_registry import Registry
from tests.clients.cli.commands.upkeep.registry_folder import objects
from tests.clients.cli.conftest import Tabard
from tests.registry.fakes import publish


def test_restore_refuses_another_registry(tabard: Tabard, place: Path, tmp_path: Path) -> None:
    """Nothing is overwritten."""
    Registry.open(str(tmp_path / "other"))
    before = objects(tmp_path / "other")

    ran = tabard("restore", place, tmp_path / "other")

    assert ran.code == exit_codes.INVALID
    assert "another registry" in ran.err and objects(tmp_path / "other") == before


def test_restore_needs_a_backup(tabard: Tabard, tmp_path: Path) -> None:
    """A folder that is no registry makes none."""
    (tmp_path / "empty").mkdir()

    ran = tabard("restore", tmp_path / "empty", tmp_path / "new")

    assert ran.code == exit_codes.INVALID
    assert "reason: NOT_A_REGISTRY" in ran.err
    assert not (tmp_path / "new" / "format.json").exists()


def test_wrong_backup_is_told_as_that(tabard: Tabard, place: Path, tmp_path: Path) -> None:
    """The hint speaks of the folder that is wrong, not of the place that is fine."""
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "holiday.jpg").touch()
    assert tabard("backup", place, tmp_path / "partial").code == 0
    (tmp_path / "partial" / "format.json").unlink()

    wrong = tabard("restore", tmp_path / "pictures", tmp_path / "new")
    partial = tabard("restore", tmp_path / "partial", tmp_path / "new")

    assert "holiday.jpg" in wrong.err and "the folder of the backup" in wrong.err
    assert "empty place" not in wrong.err
    assert "partial holds a log but no format.json" in partial.err
    assert "finished by repeating it" in partial.err
    assert not (tmp_path / "new").exists()


def test_restored_registry_goes_on(tabard: Tabard, place: Path, tmp_path: Path) -> None:
    """Backed up, lost, restored: the history is whole, and is written on."""
    assert tabard("backup", place, tmp_path / "backup").code == 0
    shutil.rmtree(place)

    ran = tabard("restore", tmp_path / "backup", place)

    assert ran.code == 0
    assert tabard("fsck", place, "--deep").code == 0
    published = publish(Registry.open(str(place), create=False), "2.0.0", folder=tmp_path)
    assert published.seq == 3


def test_restore_mends(tabard: Tabard, place: Path, tmp_path: Path) -> None:
    """Lost and damaged blobs come back, are counted, and the registry is sound again."""
    assert tabard("backup", place, tmp_path / "backup").code == 0
    kept = sorted((tmp_path / "backup" / "blob").rglob("*"))
    lost, damaged = [place / one.relative_to(tmp_path / "backup") for one in kept if one.is_file()][
        :2
    ]
    lost.unlink()
    damaged.write_bytes(bytes(damaged.stat().st_size))
    assert tabard("fsck", place, "--deep").code == exit_codes.DAMAGED

    ran = tabard("restore", tmp_path / "backup", place)

    assert ran.code == 0
    assert re.search(r"^blobs +2 \(", ran.out, re.M) and re.search(
        r"^were damaged +1$", ran.out, re.M
    )
    assert tabard("fsck", place, "--deep").code == 0


def test_restore_never_goes_back(tabard: Tabard, place: Path, tmp_path: Path) -> None:
    """A registry that went on is refused, with the way to go back."""
    assert tabard("backup", place, tmp_path / "backup").code == 0
    publish(Registry.open(str(place), create=False), "2.0.0", folder=tmp_path)
    before = objects(place)

    ran = tabard("restore", tmp_path / "backup", place)

    assert ran.code == exit_codes.INVALID
    assert "reason: PLACE_OCCUPIED" in ran.err
    assert "To go back, choose an empty place" in ran.err and objects(place) == before


def test_registry_that_went_on_is_mended(tabard: Tabard, place: Path, tmp_path: Path) -> None:
    """The backup catches up with it, with the blobs that the registry lost, and gives them back."""
    backup = tmp_path / "backup"
    assert tabard("backup", place, backup).code == 0
    publish(Registry.open(str(place), create=False), "2.0.0", folder=tmp_path)
    kept = [one.relative_to(backup) for one in (backup / "blob").rglob("*") if one.is_file()]
    (place / kept[0]).unlink()
    (place / kept[1]).write_bytes(b"cut")

    again, back = tabard("backup", place, backup), tabard("restore", backup, place, "--json")

    assert (again.code, back.code) == (0, 0)
    assert (back.document["blobs"], back.document["mended"]) == (2, 1)
    assert tabard("fsck", place, "--deep").code == 0
