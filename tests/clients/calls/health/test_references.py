# SPDX-License-Identifier: Apache-2.0
"""Pictures beside a release, as both clients send them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tabard import AsyncClient, Client, InvalidArgument
from tests.clients.fakes.real_server import RealServer
from tests.server.evidence.pictures import noise

REF = "acme/ink@1.0.0"


@pytest.fixture
def folder(server: RealServer, tmp_path: Path) -> Path:
    """A folder of four pictures, beside a release."""
    server.publish("acme/ink")
    place = tmp_path / "pictures"
    place.mkdir()
    for number in range(4):
        (place / f"{number}.png").write_bytes(noise(number))
    return place


def test_folder_is_published(client: Client, folder: Path) -> None:
    """Once, and its pictures can be had again."""
    told: list[tuple[int, int]] = []
    done = client.publish_references(
        REF, folder, reason="ours", on_progress=lambda *now: told.append(now)
    )
    again = client.publish_references(REF, folder)

    found = client.evidence_document(REF, kind="references")
    assert (done.created, again.created, done.picture_count) == (True, False, 4)
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert found.note == done.note
    png = client.evidence_picture(REF, evidence=done.note.digest, digest=found.pictures[0])
    assert png.startswith(b"\x89PNG")


def test_training_may_be_embeddings_only(client: Client, folder: Path) -> None:
    """Then there is no picture to be had."""
    done = client.publish_references(REF, folder, training=True, embeddings_only=True)

    found = client.evidence_document(REF, kind="training")
    assert (done.note.kind, found.pictures) == ("training", ())
    assert found.document["embeddings"]


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [(b"no picture", "PICTURE_UNREADABLE"), (noise(0), "REFERENCES_TOO_FEW")],
)
def test_bad_picture_is_refused(client: Client, folder: Path, spoil: bytes, reason: str) -> None:
    """Of one that cannot be read, the name is told."""
    (folder / "3.png").write_bytes(spoil)

    with pytest.raises(InvalidArgument) as refused:
        client.publish_references(REF, folder)

    assert refused.value.reason == reason
    assert reason != "PICTURE_UNREADABLE" or "'3.png'" in str(refused.value)


def test_lost_file_is_told(client: Client, folder: Path) -> None:
    """In the words of this side, not of a broken stream."""
    with pytest.raises(InvalidArgument) as refused:
        client.publish_references(REF, [*sorted(folder.iterdir()), folder / "absent.png"])

    assert refused.value.reason == "FILE_NOT_FOUND"


def test_asyncio_publishes_the_same(server: RealServer, folder: Path) -> None:
    """From bytes as well."""

    async def walk() -> int:
        async with AsyncClient(server.address) as client:
            done = await client.publish_references(REF, [noise(number) for number in range(6)])
        return done.picture_count

    assert asyncio.run(walk()) == 6
