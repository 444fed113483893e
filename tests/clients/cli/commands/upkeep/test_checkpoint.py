# SPDX-License-Identifier: Apache-2.0
"""`tabard checkpoint`: the state is written down once."""

from pathlib import Path

from tabard.cli import exit_codes
from tabard_registry.log.slots import slot_key
from tests.clients.cli.commands.upkeep.registry_folder import objects
from tests.clients.cli.conftest import Tabard


def test_checkpoint_is_written_once(tabard: Tabard, place: Path) -> None:
    """The second time there is nothing new."""
    first, second = tabard("checkpoint", place, "--json"), tabard("checkpoint", place)

    assert first.document["written"] and first.document["seq"] == 2
    assert "already" in second.out
    assert first.document["key"] in objects(place)


def test_damage_stops_other_commands(tabard: Tabard, place: Path) -> None:
    """What cannot be opened exits with the same code, and with the library's hint."""
    (place / slot_key(2)).write_bytes(b"{}")

    ran = tabard("checkpoint", place)

    assert ran.code == exit_codes.DAMAGED
    assert "reason: CORRUPT_RECORD" in ran.err and "`tabard restore BACKUP URL`" in ran.err
