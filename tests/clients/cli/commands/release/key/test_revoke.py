# SPDX-License-Identifier: Apache-2.0
"""`tabard key revoke`: a key's signatures count no longer."""

from pathlib import Path
from typing import Any

import pytest

from tabard.cli import exit_codes
from tabard_registry import Registry
from tests.clients.cli.conftest import Tabard


def test_revoked_key_stays_known(tabard: Tabard, place: Path, key: Any) -> None:
    """It is told, and nobody can mistake it for a trusted one."""
    tabard("key", "trust", "acme", key["public_key"], "--name", "ann")

    ran = tabard("key", "revoke", "acme", key["id"], "--reason", "stolen")

    assert ran.out == f"acme trusts key {key['id']} no longer\n"
    assert Registry.open(str(place)).state.keys[f"acme/{key['id']}"].revoked


@pytest.mark.parametrize(
    ("said", "code"), [(("--reason", "r"), exit_codes.NOT_FOUND), ((), exit_codes.USAGE)]
)
def test_stranger_is_not_revoked(
    tabard: Tabard, place: Path, said: tuple[str, ...], code: int
) -> None:
    """A key that nobody trusts, or without a reason."""
    assert tabard("key", "revoke", "acme", "0" * 16, *said).code == code
