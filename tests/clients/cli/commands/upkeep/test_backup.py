# SPDX-License-Identifier: Apache-2.0
"""`tabard backup` and `tabard restore`: a copy with the same id, there and back again."""

from pathlib import Path

import pytest

from tabard.cli import exit_codes
from tabard_registry import Registry
from tests.clients.cli.commands.upkeep.registry_folder import objects
from tests.clients.cli.conftest import Tabard


def test_backup_and_restore_copy_everything(tabard: Tabard, place: Path, tmp_path: Path) -> None:
    """There and back again: the same id, sound; and again: nothing to do."""
    export, copy = tmp_path / "export", tmp_path / "copy"

    out = tabard("backup", place, export, "--json")
    back = tabard("restore", export, copy, "--json")
    again = tabard("restore", export, copy)

    assert (out.code, back.code, again.code) == (0, 0, 0)
    assert out.document["registry_id"] == back.document["registry_id"] == "id-1"
    assert (back.document["records"], back.document["blobs"]) == (2, 3)
    assert tabard("fsck", copy, "--deep").code == 0


def test_backup_needs_both_places(
    tabard: Tabard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One name is the folder; where the registry is must be said, too."""
    monkeypatch.delenv("TABARD_REGISTRY", raising=False)

    ran = tabard("backup", tmp_path / "export")

    assert (ran.code, "TABARD_REGISTRY" in ran.err) == (exit_codes.USAGE, True)
    assert not (tmp_path / "export").exists()


def test_backup_is_somewhere_else(tabard: Tabard, place: Path) -> None:
    """A folder within the registry, or the registry itself, is no backup of it."""
    for inside in (place, place / "blob" / "backup"):
        ran = tabard("backup", place, inside)

        assert ran.code == exit_codes.INVALID
        assert "reason: PLACE_OCCUPIED" in ran.err
    assert not (place / "blob" / "backup").exists()


@pytest.mark.parametrize("within", ["blob/x", "x", "log/y/z"])
def test_backup_into_another_registry_is_refused(
    tabard: Tabard, place: Path, tmp_path: Path, within: str
) -> None:
    """However deep: what is there would be no part of it."""
    other = tmp_path / "other"
    Registry.open(str(other)).close()
    before = objects(other)

    ran = tabard("backup", place, other / within)

    assert (ran.code, "lies within the registry" in ran.err) == (exit_codes.INVALID, True)
    assert objects(other) == before
