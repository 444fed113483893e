# SPDX-License-Identifier: Apache-2.0
"""`tabard key trust`: a namespace takes a key's signatures."""

from pathlib import Path
from typing import Any

from tabard.cli import exit_codes
from tabard_registry import Registry
from tests.clients.cli.conftest import Tabard


def test_trusted_key_is_named(tabard: Tabard, place: Path, key: Any) -> None:
    """The answer says whose key it is; the log says who trusts it, and why."""
    given = ("acme", key["public_key"], "--name", "ann", "--reason", "she paints")

    ran = tabard("key", "trust", *given, "--json")

    record = Registry.open(str(place)).since(1)[0].record
    assert (ran.document["id"], ran.document["name"]) == (key["id"], "ann")
    assert not ran.document["revoked"]
    assert (record.actor, record.reason) == ("alice", "she paints")


def test_what_is_no_key_is_refused(tabard: Tabard, place: Path) -> None:
    """Nothing is written."""
    ran = tabard("key", "trust", "acme", "bm9uc2Vuc2U=", "--name", "ann")

    assert (ran.code, "not an Ed25519 public key" in ran.err) == (exit_codes.INVALID, True)
    assert Registry.open(str(place)).seq == 1
