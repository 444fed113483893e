# SPDX-License-Identifier: Apache-2.0
"""`tabard key list`: who is trusted, who was, and what a namespace asks for."""

from pathlib import Path
from typing import Any

from tests.clients.cli.conftest import Tabard


def test_keys_are_listed(tabard: Tabard, key: Any, place: Path) -> None:
    """With their standing, by namespace."""
    tabard("key", "trust", "acme", key["public_key"], "--name", "ann")
    tabard("policy", "set", "acme", "--require-signature", "--registry", place)
    tabard("key", "revoke", "acme", key["id"], "--reason", "stolen")

    listed = tabard("key", "list", "acme", "--json").document

    assert listed == [
        {
            "namespace": "acme",
            "id": key["id"],
            "public_key": key["public_key"],
            "name": "ann",
            "revoked": True,
            "require_signature": True,
        }
    ]
    assert "revoked" in tabard("key", "list").out
    assert tabard("key", "list", "other").out == "no keys\n"


def test_every_key_command_has_help(tabard: Tabard) -> None:
    """Each with its options and --json."""
    for name in ("new", "trust", "revoke", "list"):
        ran = tabard("key", name, "--help")

        assert (ran.code, ran.err) == (0, "")
        assert "--json" in ran.out
