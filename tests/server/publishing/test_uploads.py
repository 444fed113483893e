# SPDX-License-Identifier: Apache-2.0
"""Files on their way in, whoever sends them."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from tabard_server.errors import InvalidRequest
from tabard_server.limits import Limits
from tabard_server.publishing.uploads import Upload, Uploads

Sent = Sequence[tuple[str, int, Sequence[bytes]]]


async def send(upload: Upload, files: Sent) -> None:
    """Send files: a name, how many bytes are announced, the chunks."""
    for name, bytes_total, chunks in files:
        upload.begin_file(name, bytes_total=bytes_total)
        for chunk in chunks:
            await upload.write(chunk)
    upload.end()


def test_files_are_there_until_the_end() -> None:
    """Whole, in order, under harmless names; and gone afterwards."""

    async def walk() -> list[Path]:
        with Uploads(limits=Limits()).one() as upload:
            await send(upload, [("../a b.bin", 1_027, [b"a" * 1_024, b"b" * 3]), ("", 0, [])])
            assert [path.read_bytes() for path in upload.files] == [b"a" * 1_024 + b"bbb", b""]
            return list(upload.files)

    files = asyncio.run(walk())

    assert [path.name for path in files] == ["a_b.bin", "file"]
    assert not any(path.exists() for path in files)


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ([], "UPLOAD_EMPTY"),
        ([("a", 2_000, [b"a" * 1_999])], "UPLOAD_INCOMPLETE"),
        ([("a", 3, [b"ab"])], "UPLOAD_BROKEN"),
        ([("a", 3, [b""])], "UPLOAD_BROKEN"),
        ([("a", 0, [b""])], "UPLOAD_BROKEN"),
        ([("a", 1, [b"ab"])], "UPLOAD_BROKEN"),
        ([("a", 2_001, [])], "UPLOAD_TOO_LARGE"),
        ([("a", 0, []), ("b", 0, []), ("c", 0, [])], "UPLOAD_TOO_LARGE"),
    ],
)
def test_what_is_not_whole_is_refused(files: Sent, reason: str) -> None:
    """And what is larger than the limits."""
    limits = Limits(upload_bytes_max=2_000, upload_files_max=2)

    async def walk() -> None:
        with Uploads(limits=limits).one() as upload:
            await send(upload, files)

    with pytest.raises(InvalidRequest) as caught:
        asyncio.run(walk())

    assert caught.value.reason == reason


def test_work_ends_before_the_files_go() -> None:
    """Even when the caller leaves meanwhile."""
    seen: list[bytes] = []

    async def walk() -> None:
        begun = asyncio.Event()

        async def work(path: Path) -> None:
            begun.set()
            await asyncio.sleep(0.01)
            seen.append(path.read_bytes())

        async def call() -> None:
            with Uploads(limits=Limits()).one() as upload:
                await send(upload, [("a", 1, [b"a"])])
                await upload.use(work(upload.files[0]))

        task = asyncio.ensure_future(call())
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(walk())

    assert seen == [b"a"]
