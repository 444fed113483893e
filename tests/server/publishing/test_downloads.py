# SPDX-License-Identifier: Apache-2.0
"""Files of a release on their way out, whoever asks: whole, and for a while."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tabard_registry import Registry
from tabard_registry.export.export import ExportedFile
from tabard_registry.identity.roles import EVERYTHING
from tabard_registry.refs.digest import sha256_file
from tabard_server.limits import MEBIBYTE
from tabard_server.publishing.downloads import Downloads, chunks_of
from tests.registry.fakes import MemoryStore
from tests.server.adapters.published_lora import publish_lora
from tests.server.harness import lora_file

INK = "acme/ink@1.0.0"


@pytest.fixture(scope="module")
def stocked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A registry with one release."""
    registry = Registry.open(MemoryStore())
    publish_lora(registry, folder=tmp_path_factory.mktemp("file"))
    yield registry
    registry.close()


def test_files_are_there_for_the_block(stocked: Registry) -> None:
    """The bytes that were published, and nothing is left of them afterwards."""

    async def walk() -> tuple[str, bytes, Path]:
        async with Downloads(stocked).one(INK, style="original", grants=EVERYTHING) as found:
            (file,) = found.files
            return str(found.release.adapter), file.path.read_bytes(), file.path

    name, content, path = asyncio.run(walk())

    assert (name, content) == ("acme/ink", lora_file(rank=4))
    assert not path.parent.exists()


def test_chunks_are_bounded_and_whole(tmp_path: Path) -> None:
    """A file larger than a chunk comes in pieces that make it again."""
    path = tmp_path / "large"
    path.write_bytes(bytes(range(256)) * (9 * MEBIBYTE // 4 // 256))
    file = ExportedFile(
        name="large", path=path, size_bytes=path.stat().st_size, digest=sha256_file(path)
    )

    async def walk() -> list[bytes]:
        return [chunk async for chunk in chunks_of(file)]

    chunks = asyncio.run(walk())

    assert [len(chunk) for chunk in chunks] == [MEBIBYTE, MEBIBYTE, MEBIBYTE // 4]
    assert b"".join(chunks) == path.read_bytes()
