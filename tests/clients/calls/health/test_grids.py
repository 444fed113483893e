# SPDX-License-Identifier: Apache-2.0
"""Grids as both clients send and read them."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from tabard import AsyncClient, Client, InvalidArgument, NotFound
from tabard_registry.evidence.documents import to_bytes
from tests.clients.fakes.real_server import RealServer
from tests.registry.evidence.reports import grid

DOCUMENT = json.loads(to_bytes(grid("style")))


def test_grid_is_given_and_read(client: Client) -> None:
    """By its document or its file; what is shipped can be taken as a beginning."""
    shipped = client.grid("style")
    done = client.put_grid(DOCUMENT, place="acme", reason="ours")
    again = client.put_grid(DOCUMENT, place="acme")

    assert (shipped.grid.place, shipped.document["purpose"]) == ("", "style")
    assert (done.changed, again.changed, again.grid) == (True, False, done.grid)
    assert client.grid("style", place="acme/ink").document == DOCUMENT
    assert [one.place for one in client.grids(place="acme")] == ["", "", "", "acme"]


def test_file_is_read(client: Client, tmp_path: Path) -> None:
    """A path is one."""
    path = tmp_path / "grid.json"
    path.write_text(json.dumps(DOCUMENT), encoding="utf-8")

    assert client.put_grid(path, place="acme/ink").grid.place == "acme/ink"
    with pytest.raises(InvalidArgument) as refused:
        client.put_grid(tmp_path / "absent.json", place="acme")
    assert refused.value.reason == "FILE_UNREADABLE"


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (DOCUMENT | {"prompts": []}, "GRID_EMPTY"),
        (DOCUMENT | {"seeds": list(range(17))}, "GRID_TOO_LARGE"),
        (DOCUMENT | {"negative_prompt": "x" * 300_000}, "GRID_TOO_LARGE"),
        ({"v": 1, "kind": "report"}, "FIELD_INVALID"),
    ],
)
def test_bad_grid_is_refused(client: Client, document: dict[str, object], reason: str) -> None:
    """Each by a reason of its own, with what to do."""
    with pytest.raises(InvalidArgument) as refused:
        client.put_grid(document, place="acme")

    assert refused.value.reason == reason
    assert refused.value.hint


def test_unknown_grid_is_told(client: Client) -> None:
    """With those that there are."""
    with pytest.raises(NotFound) as refused:
        client.grid("nothing")

    assert refused.value.reason == "GRID_NOT_FOUND"
    assert "concept, style, subject" in refused.value.hint


def test_asyncio_does_the_same(server: RealServer) -> None:
    """Every verb."""

    async def walk() -> list[str]:
        async with AsyncClient(server.address) as client:
            done = await client.put_grid(DOCUMENT, place="acme")
            found = await client.grid("style", place="acme")
            return [done.grid.digest, found.grid.digest, (await client.grids())[-1].digest]

    assert len(set(asyncio.run(walk()))) == 1
