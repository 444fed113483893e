# SPDX-License-Identifier: Apache-2.0
"""`tabard gc`: nothing goes unless it is told to, and what is young stays."""

from pathlib import Path

import pytest

from tabard.cli import exit_codes
from tabard_registry import Author, Registry
from tests.clients.cli.commands.upkeep.registry_folder import objects
from tests.clients.cli.conftest import Tabard
from tests.registry.fakes import ref


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
    assert (intent.record.actor, intent.record.reason) == ("alice", "spring cleaning")


@pytest.mark.parametrize("age", ["week", "-1d", "7 d", "1.5h", ""])
def test_odd_ages_are_refused(tabard: Tabard, place: Path, age: str) -> None:
    """A span that cannot be read is a wrong command line."""
    assert tabard("gc", place, f"--min-age={age}").code == exit_codes.USAGE


def test_purged_release_is_collected(tabard: Tabard, place: Path) -> None:
    """What a purge could not delete, gc does, whatever its age."""
    registry = Registry.open(str(place))
    keep = registry.state.resolve(ref("1.0.0")).blobs
    registry.purge(ref("1.0.0"), author=Author(actor="ann", reason="consent withdrawn"))
    left = next(iter(keep))
    path = place / f"blob/sha256/{left.hex[:2]}/{left.hex[2:]}"
    path.write_bytes(b"left by a purge that was interrupted")

    damaged = tabard("fsck", place)
    tabard("gc", place, "--run")

    assert damaged.code == exit_codes.DAMAGED and "purged" in damaged.out
    assert not path.exists()
    assert tabard("fsck", place).code == 0
