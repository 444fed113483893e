# SPDX-License-Identifier: Apache-2.0
"""`tabard key new`: the private half is the owner's alone, and never overwritten."""

import base64
import stat
from pathlib import Path
from typing import Any

from tabard.cli import exit_codes
from tests.clients.cli.conftest import Tabard


def test_new_key_is_the_owners_alone(tabard: Tabard, tmp_path: Path) -> None:
    """The private half is in a file that only its owner reads; it is not shown."""
    ran = tabard("key", "new", tmp_path / "ann.pem")

    content = (tmp_path / "ann.pem").read_text()
    assert ran.code == 0 and "key id" in ran.err
    assert len(base64.b64decode(ran.out, validate=False)) == 32  # alone, for a shell to take
    assert content.startswith("-----BEGIN PRIVATE KEY-----")
    assert content.splitlines()[1] not in ran.out
    assert stat.S_IMODE((tmp_path / "ann.pem").stat().st_mode) == 0o600


def test_keys_are_never_overwritten(tabard: Tabard, tmp_path: Path, key: Any) -> None:
    """A file that exists stays as it is."""
    before = (tmp_path / "ann.pem").read_bytes()

    ran = tabard("key", "new", tmp_path / "ann.pem")

    assert ran.code == exit_codes.PRECONDITION
    assert (tmp_path / "ann.pem").read_bytes() == before


def test_key_needs_a_place(tabard: Tabard, tmp_path: Path) -> None:
    """The path, why, and what to do; no bare word of the system."""
    (tmp_path / "file").touch()

    for place in (tmp_path / "none" / "ann.pem", tmp_path / "file" / "ann.pem"):
        ran = tabard("key", "new", place)

        assert ran.code == exit_codes.PRECONDITION
        assert f"{place} cannot be written" in ran.err
        assert "FOLDER_UNWRITABLE" in ran.err and "hint: name a file" in ran.err
