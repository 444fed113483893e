# SPDX-License-Identifier: Apache-2.0
"""Files are sent whole, in order, in bounded parts; what cannot be sent is not begun."""

import asyncio
from pathlib import Path

import pytest

import tabard
from tabard import Client
from tabard.calls import local_files, uploads
from tabard.calls.call import Caller
from tabard.v1 import registry_service_pb2 as pb
from tests.clients.fakes.server import FakeServer

CALLER = Caller(actor="alice", new_id=lambda: "id")


def test_publish_sends_draft_and_bytes(
    client: Client, server: FakeServer, style_file: Path
) -> None:
    """What the author says arrives, and so does every byte."""
    sent: list[tabard.UploadProgress] = []

    published = client.publish(
        "acme/watercolor",
        style_file,
        version="1.0.0",
        notes="soft",
        licence="CC0-1.0",
        purpose="style",
        trigger_words=["wtr"],
        kind="dreambooth",
        on_progress=sent.append,
    )

    release = published.release
    assert (published.created, published.report.accepted) == (True, True)
    assert (release.kind, release.purpose, release.notes) == ("dreambooth", "style", "soft")
    assert (release.licence, release.trigger_words) == ("CC0-1.0", ("wtr",))
    assert release.published_by == "alice"
    assert release.original_bytes == sent[-1].sent_bytes == style_file.stat().st_size
    assert server.state.requests[0].request_id


def test_publish_twice_creates_once(client: Client, style_file: Path) -> None:
    """The same bytes under the same version are the same release."""
    first = client.publish("acme/watercolor", style_file, version="1.0.0")

    second = client.publish("acme/watercolor", style_file, version="1.0.0")

    assert (second.created, second.release) == (False, first.release)


def test_publish_other_bytes_refused(client: Client, style_file: Path, other_file: Path) -> None:
    """A version never changes its bytes."""
    client.publish("acme/watercolor", style_file, version="1.0.0")

    with pytest.raises(tabard.AlreadyExists) as caught:
        client.publish("acme/watercolor", other_file, version="1.0.0")

    assert (caught.value.reason, caught.value.hint) == ("VERSION_EXISTS", "use a new version")


def test_refused_file_names_problem(client: Client, refused_file: Path) -> None:
    """The violations of a refused file reach the author."""
    with pytest.raises(tabard.InvalidArgument) as caught:
        client.publish("acme/watercolor", refused_file, version="1.0.0")

    assert caught.value.reason == "UNKNOWN_KEYS"
    assert "fit no module" in caught.value.violations[0].description


@pytest.mark.parametrize(
    ("files", "options", "reason"),
    [
        ((), {}, "NO_FILES"),
        (("nowhere.safetensors",), {}, "FILE_NOT_FOUND"),
        ((__file__,), {"kind": "poem"}, "KIND_UNKNOWN"),
        ((__file__,), {"purpose": "fun"}, "PURPOSE_UNKNOWN"),
    ],
)
def test_publish_refuses_before_sending(
    client: Client,
    server: FakeServer,
    files: tuple[str, ...],
    options: dict[str, str],
    reason: str,
) -> None:
    """What the SDK can see for itself never reaches the server."""
    with pytest.raises(tabard.InvalidArgument) as caught:
        client.publish("a/b", *files, version="1.0.0", **options)  # type: ignore[arg-type]

    assert (caught.value.reason, server.state.requests) == (reason, [])


def test_check_reports_without_raising(client: Client, refused_file: Path) -> None:
    """A bad file is an answer, not an error."""
    report = client.check(refused_file)

    assert not report.accepted
    assert report.problems[0].remedy == "train it on sd1"


def test_parts_are_a_draft_then_files(
    style_file: Path, other_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each file is announced with its size, and comes in chunks of a bounded size."""
    monkeypatch.setattr(local_files, "CHUNK_BYTES", 1_000_000)

    upload = uploads.publish(CALLER, "acme/a", style_file, other_file, version="1.0.0")

    parts = list(upload.requests())
    assert [part.WhichOneof("part") for part in parts] == [
        "draft",
        "file",
        "chunk",
        "chunk",
        "file",
        "chunk",
    ]
    assert parts[1] == pb.PublishRequest(
        file=pb.FileStart(name="watercolor.safetensors", bytes_total=1_500_000)
    )


def test_upload_can_be_begun_again(other_file: Path) -> None:
    """Each stream starts from the first byte."""
    upload = uploads.check(CALLER, other_file)

    assert list(upload.requests()) == list(upload.requests())


def test_name_that_is_no_text_is_sent(tmp_path: Path) -> None:
    """Names are bytes to Linux; an old archive leaves some that are no UTF-8."""
    file = tmp_path / "bad\udcff.safetensors"
    file.write_bytes(b"bytes")

    begun = uploads.check(Caller(actor="x", new_id=lambda: "1"), file)
    sent = list(begun.requests())

    assert sent[1].file.name == "bad?.safetensors"
    assert sent[2].chunk == b"bytes"


def test_unreadable_file_is_told_before_the_call(
    client: Client, server: FakeServer, style_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that is too long, and a file that may not be read, are typed, and in words."""
    with pytest.raises(tabard.InvalidArgument, match="cannot be read: File name too long") as long:
        client.publish("acme/watercolor", Path("x" * 300), version="1.0.0")

    def refuse(_path: Path, _flags: int) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(local_files.os, "open", refuse)
    with pytest.raises(tabard.InvalidArgument, match="Permission denied") as denied:
        client.check(style_file)

    assert [one.value.reason for one in (long, denied)] == ["FILE_UNREADABLE"] * 2
    assert not server.state.requests


def test_missing_file_of_no_text_is_told(client: Client) -> None:
    """Bytes that are no text cannot stand in a message."""
    with pytest.raises(tabard.InvalidArgument, match=r"there is no file 'a\?b'"):
        client.publish("acme/watercolor", "a\udcffb", version="1.0.0")


def test_folder_is_published(client: Client, tmp_path: Path) -> None:
    """One folder of PEFT stands for the files in it that make the adapter."""
    for name in ("adapter_model.safetensors", "adapter_config.json", "optimizer.bin"):
        (tmp_path / name).write_bytes(b"style")

    published = client.publish("acme/ink", tmp_path, version="1.0.0")

    assert published.release.original_bytes == 2 * len(b"style")


def test_file_that_goes_meanwhile_is_told(
    client: Client, style_file: Path, other_file: Path
) -> None:
    """The transport hears only that requests broke off; whoever uploads hears of which file."""

    def remove(_sent: uploads.UploadProgress) -> None:
        other_file.unlink(missing_ok=True)

    with pytest.raises(tabard.InvalidArgument, match=r"other\.safetensors.*No such file") as told:
        client.check(style_file, other_file, on_progress=remove)

    assert told.value.reason == "FILE_UNREADABLE"


def test_async_upload_tells_it_too(server: FakeServer, style_file: Path, other_file: Path) -> None:
    """Its task is not cancelled by that."""

    def remove(_sent: uploads.UploadProgress) -> None:
        other_file.unlink(missing_ok=True)

    async def walk() -> None:
        async with tabard.AsyncClient(server.address) as connected:
            await connected.check(style_file, other_file, on_progress=remove)

    with pytest.raises(tabard.InvalidArgument, match="No such file"):
        asyncio.run(walk())
