# SPDX-License-Identifier: Apache-2.0
"""A pull over a socket, and what a lying server can do to it: nothing."""

import asyncio
import hashlib
from collections.abc import Iterable
from pathlib import Path

import pytest

from tabard import (
    AlreadyExists,
    AsyncClient,
    Client,
    FailedPrecondition,
    Internal,
    InvalidArgument,
)
from tabard.calls.downloads import PullProgress, landing
from tabard.v1 import adapter_pb2
from tabard.v1 import registry_service_pb2 as pb
from tests.clients.fakes.server import FakeServer


def test_pull_gives_the_bytes(client: Client, style_file: Path, tmp_path: Path) -> None:
    """What was published comes back, with progress on the way."""
    client.publish("acme/a", style_file, version="1.0.0")
    seen: list[PullProgress] = []

    pulled = client.pull("acme/a@1.0.0", out=tmp_path / "out", on_progress=seen.append)

    (file,) = pulled.files
    assert Path(file.path).read_bytes() == style_file.read_bytes()
    assert (pulled.release.adapter, file.size_bytes) == ("acme/a", style_file.stat().st_size)
    assert [one.received_bytes for one in seen] == [1 << 20, file.size_bytes]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["style.safetensors"]


def test_async_pull_gives_the_bytes(
    server: FakeServer, client: Client, style_file: Path, tmp_path: Path
) -> None:
    """The asynchronous client has the same verb."""
    client.publish("acme/a", style_file, version="1.0.0")

    async def walk() -> str:
        async with AsyncClient(server.address) as connected:
            return (await connected.pull("acme/a@1.0.0", out=tmp_path / "out")).files[0].path

    assert Path(asyncio.run(walk())).read_bytes() == style_file.read_bytes()


def test_unknown_format_is_refused(client: Client) -> None:
    """Before anything is sent."""
    with pytest.raises(InvalidArgument, match="there is no format"):
        client.pull("acme/a", file_format="ckpt")


def start(name: str, body: bytes, *, digest: str = "", size: int = -1) -> pb.FetchResponse:
    """The start of a file."""
    said = digest or f"sha256:{hashlib.sha256(body).hexdigest()}"
    total = len(body) if size < 0 else size
    return pb.FetchResponse(file=pb.FetchedFile(name=name, bytes_total=total, digest=said))


RELEASE = pb.FetchResponse(release=adapter_pb2.Release(adapter="acme/a", version="1.0.0"))
CHUNK = pb.FetchResponse(chunk=b"body")


@pytest.mark.parametrize(
    "parts",
    [
        [],
        [RELEASE],
        [CHUNK],
        [RELEASE, CHUNK],
        [start("a", b"body"), CHUNK],
        [RELEASE, start("a", b"body")],
        [RELEASE, start("a", b"body"), CHUNK, CHUNK],
        [RELEASE, start("a", b"body", digest="sha256:" + "0" * 64), CHUNK],
        [RELEASE, start("a", b"body", size=5), CHUNK],
        [RELEASE, start("a", b"body"), start("b", b"body"), CHUNK],
        [RELEASE, start("", b"body"), CHUNK],
        [RELEASE, start("..", b"body"), CHUNK],
        [RELEASE, start("a\nb", b"body"), CHUNK],
        [RELEASE, start("a", b"body"), CHUNK, start("x/a", b"body"), CHUNK],
        [RELEASE, RELEASE],
        [RELEASE, start("a", b"body"), pb.FetchResponse(chunk=b"")],
        [RELEASE, start("a", b"body", size=2**64 - 1)],
        [RELEASE, *[pb.FetchResponse()] * 65],
        [RELEASE, start(" ", b"body"), CHUNK],
        [RELEASE, *[one for n in range(65) for one in (start(f"f{n}", b"body"), CHUNK)]],
    ],
)
def test_lying_server_leaves_nothing(parts: Iterable[pb.FetchResponse], tmp_path: Path) -> None:
    """What is not whole, not announced or not nameable is an error, and no file of it stays."""
    with pytest.raises(Internal) as told, landing(tmp_path / "out") as place:
        for part in parts:
            place.take(part)
        place.end()

    assert told.value.reason == "DOWNLOAD_DAMAGED"
    left = list((tmp_path / "out").glob("*")) if (tmp_path / "out").exists() else []
    assert all(path.read_bytes() == b"body" and not path.name.startswith(".") for path in left)


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "..\\x\\passwd", ".passwd", "C:passwd"]
)
def test_names_stay_in_the_folder(name: str, tmp_path: Path) -> None:
    """A path is only its last part."""
    with landing(tmp_path / "out") as place:
        for part in (RELEASE, start(name, b"body"), CHUNK):
            place.take(part)
        (file,) = place.end().files

    assert Path(file.path) == tmp_path / "out" / "passwd"


@pytest.mark.parametrize("planted", ["ink.safetensors", ".ink.safetensors.part"])
def test_planted_link_is_not_followed(planted: str, tmp_path: Path) -> None:
    """A link under one of our names is replaced; what it leads to stays as it was."""
    out, victim = tmp_path / "out", tmp_path / "victim"
    out.mkdir()
    victim.write_bytes(b"not yours")
    (out / planted).symlink_to(victim)

    with landing(out, overwrite=True) as place:
        for part in (RELEASE, start("ink.safetensors", b"body"), CHUNK):
            place.take(part)
        place.end()

    assert victim.read_bytes() == b"not yours"
    assert not (out / "ink.safetensors").is_symlink()
    assert (out / "ink.safetensors").read_bytes() == b"body"


@pytest.mark.parametrize("name", ["x" * 4096, "水" * 4096, "a" * 90 + "." + "b" * 199])
def test_long_names_fit_a_file_system(name: str, tmp_path: Path) -> None:
    """Counted in bytes, and still visible."""
    with landing(tmp_path / "out") as place:
        for part in (RELEASE, start(name, b"body"), CHUNK):
            place.take(part)
        (file,) = place.end().files

    (found,) = (tmp_path / "out").iterdir()
    assert (str(found), found.name.startswith(".")) == (file.path, False)


@pytest.mark.parametrize("place", ["file", "file/below", "link", "x" * 300])
def test_folder_that_cannot_be_is_told(place: str, tmp_path: Path) -> None:
    """In words, with a reason, for whoever calls the SDK."""
    (tmp_path / "file").write_bytes(b"mine")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")

    with pytest.raises(FailedPrecondition) as told, landing(tmp_path / place) as made:
        made.take(RELEASE)
        made.take(start("a", b"body"))

    assert told.value.reason == "FOLDER_UNWRITABLE"


def test_all_files_appear_or_none(tmp_path: Path) -> None:
    """A folder in the way of the second one is seen before the first one is replaced."""
    out = tmp_path / "out"
    (out / "b").mkdir(parents=True)
    (out / "a").write_bytes(b"mine")

    with pytest.raises(AlreadyExists), landing(out, overwrite=True) as place:
        for part in (RELEASE, start("a", b"body"), CHUNK, start("b", b"body"), CHUNK):
            place.take(part)
        place.end()

    assert sorted(path.name for path in out.iterdir()) == ["a", "b"]
    assert (out / "a").read_bytes() == b"mine"


def test_part_of_another_is_not_taken(tmp_path: Path) -> None:
    """Whatever took the place of our part never gets the name of a verified file."""
    out, victim = tmp_path / "out", tmp_path / "victim"
    victim.write_bytes(b"not yours")

    with pytest.raises(Internal, match="somebody else"), landing(out) as place:
        for part in (RELEASE, start("a", b"body"), CHUNK):
            place.take(part)
        (out / ".a.part").unlink()
        (out / ".a.part").symlink_to(victim)
        place.end()

    assert not (out / "a").exists()
    assert victim.read_bytes() == b"not yours"
