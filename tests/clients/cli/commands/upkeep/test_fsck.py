# SPDX-License-Identifier: Apache-2.0
"""`tabard fsck`: whole or damaged, told by words, by JSON and by the exit code."""

from pathlib import Path

import pytest

from tabard.cli import exit_codes
from tabard_registry.log.slots import slot_key
from tests.clients.cli.conftest import Tabard


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
    assert (
        slot_key(2) in ran.out
        and "`tabard restore BACKUP URL`" in ran.out
        and "damaged: " in ran.out
    )
    assert not as_json.document["is_sound"]
    assert as_json.document["findings"][0]["severity"] == "error"


def test_one_is_not_many(tabard: Tabard, place: Path) -> None:
    """Plain grammar, also for one."""
    assert tabard("checkpoint", place).code == 0

    assert "2 records, 1 checkpoint, " in tabard("fsck", place).out


@pytest.mark.parametrize("lost", ["changed record", "lost record", "changed blob", "lost blob"])
def test_remedy_helps(tabard: Tabard, place: Path, tmp_path: Path, lost: str) -> None:
    """Who does what fsck says has a sound registry again."""
    assert tabard("backup", place, tmp_path / "backup").code == 0
    blobs = [path for path in (place / "blob").rglob("*") if path.is_file()]
    kept = {path.name for path in (tmp_path / "backup" / "blob").rglob("*") if path.is_file()}
    blob = next(path for path in blobs if path.name in kept)
    damaged = place / slot_key(1) if "record" in lost else blob
    if "changed" in lost:
        damaged.chmod(0o600)
        damaged.write_bytes(b"{}")
    else:
        damaged.unlink()
    found = tabard("fsck", place, "--deep", "--json").document["findings"]
    finding = next(one for one in found if one["severity"] == "error")

    if "Move" in finding["remedy"]:
        (place / finding["key"]).rename(tmp_path / "away")
    assert "`tabard restore BACKUP URL`" in finding["remedy"]
    assert tabard("restore", tmp_path / "backup", place).code == 0

    assert tabard("fsck", place, "--deep").code == 0
