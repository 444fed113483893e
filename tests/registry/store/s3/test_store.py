# SPDX-License-Identifier: Apache-2.0
"""What only a bucket can do: uploads in parts that are taken up, foreign objects, own uploads."""

import random
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tabard_registry.errors import CorruptRegistry, StoreUnavailable, UnusableRegistry
from tabard_registry.place import open_place
from tabard_registry.store import Outcome
from tabard_registry.store.s3 import S3Store
from tabard_registry.store.s3 import store as s3_module
from tests.registry.fakes import counted_ids
from tests.registry.store.conftest import SMALL_PARTS
from tests.s3 import needs_real_s3, s3_client

PART = SMALL_PARTS.part_bytes
LARGE = random.Random(0).randbytes(4 * PART + 99)
PARTS = [LARGE[at : at + PART] for at in range(0, len(LARGE), PART)]


def test_upload_that_broke_off_is_taken_up(s3_store: S3Store, s3_url: str) -> None:
    """Parts that arrived whole are not sent again; a wrong one is."""
    begun = begin_upload(s3_url, parts=[PARTS[0], b"wrong" + PARTS[1][5:], PARTS[2]])
    sent: list[int] = []
    watch(s3_store, "UploadPart", lambda params: sent.append(part_number(params)))

    s3_store.put("blob/x", chunks=PARTS)

    assert sorted(sent) == [2, 4, 5]
    assert b"".join(s3_store.stream("blob/x")) == LARGE
    assert uploads(s3_url) == []
    assert begun


def test_refused_bytes_leave_no_upload(s3_store: S3Store, s3_url: str) -> None:
    """When the source turns out to be wrong, the upload that we began is forgotten."""

    def failing() -> Iterator[bytes]:
        yield LARGE
        raise CorruptRegistry("changed", reason="CORRUPT_BLOB")

    with pytest.raises(CorruptRegistry):
        s3_store.put("blob/x", chunks=failing())

    assert uploads(s3_url) == []
    assert list(s3_store.objects("")) == []


def test_another_writers_upload_is_left_alone(s3_store: S3Store, s3_url: str) -> None:
    """Bytes that turn out to be wrong do not end the upload of somebody else."""
    begun = begin_upload(s3_url, parts=PARTS[:1])

    def failing() -> Iterator[bytes]:
        yield LARGE
        raise CorruptRegistry("changed", reason="CORRUPT_BLOB")

    with pytest.raises(CorruptRegistry):
        s3_store.put("blob/x", chunks=failing())

    assert uploads(s3_url) == [begun]


def test_object_appears_at_the_end(s3_store: S3Store) -> None:
    """While the last part is on its way, nobody sees an object."""
    seen: list[int | None] = []

    def watched() -> Iterator[bytes]:
        for part in PARTS:
            yield part
            seen.append(s3_store.size_bytes("blob/x"))

    s3_store.put("blob/x", chunks=watched())

    assert seen == [None] * len(PARTS)
    assert s3_store.size_bytes("blob/x") == len(LARGE)


def test_two_writers_of_one_blob_agree(s3_store: S3Store, s3_url: str) -> None:
    """Who finds the shared upload completed by the other one is content."""
    other = S3Store(s3_url, limits=SMALL_PARTS)

    def overtaken() -> Iterator[bytes]:
        yield from PARTS[:-1]
        other.put("blob/x", chunks=PARTS)
        yield PARTS[-1]

    try:
        s3_store.put("blob/x", chunks=overtaken())
    except StoreUnavailable as error:  # the last part found no upload any more
        assert "try again" in error.hint
        s3_store.put("blob/x", chunks=PARTS)

    assert b"".join(s3_store.stream("blob/x")) == LARGE


def test_parts_under_way_are_bounded(s3_store: S3Store) -> None:
    """However large the object, a few parts are in memory."""
    lock, under_way, highest = threading.Lock(), 0, 0

    def begin(_params: Any) -> None:
        nonlocal under_way, highest
        with lock:
            under_way += 1
            highest = max(highest, under_way)

    def end(_params: Any) -> None:
        nonlocal under_way
        with lock:
            under_way -= 1

    watch(s3_store, "UploadPart", begin)
    watch(s3_store, "UploadPart", end, when="after-call")

    s3_store.put("blob/x", chunks=PARTS)

    assert 1 < highest <= SMALL_PARTS.parts_in_flight_max


def test_sweep_forgets_old_uploads(
    s3_store: S3Store, s3_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fresh upload stays, an old one goes, and other people's never come into question."""
    begun = begin_upload(s3_url, parts=PARTS[:1])
    bucket, _, prefix = s3_url.removeprefix("s3://").partition("/")
    assert prefix
    foreign = s3_client().create_multipart_upload(Bucket=bucket, Key="other/x")["UploadId"]
    monkeypatch.setattr(s3_module, "UPLOAD_AGE_SECONDS_MAX", 10**10)
    kept = s3_store.sweep()
    monkeypatch.setattr(s3_module, "UPLOAD_AGE_SECONDS_MAX", -(10**6))

    swept = s3_store.sweep()

    assert (kept, swept) == (0, 1)
    assert uploads(s3_url) == [foreign]
    assert begun != foreign


def test_folder_of_a_console_is_nobodys(s3_store: S3Store, s3_url: str) -> None:
    """The empty object that shows a prefix as a folder does not make the place occupied."""
    bucket, _, prefix = s3_url.removeprefix("s3://").partition("/")
    s3_client().put_object(Bucket=bucket, Key=f"{prefix}/", Body=b"")

    assert s3_store.top_level() == frozenset()
    assert list(s3_store.objects("")) == []


def test_prefix_is_a_whole_name(s3_store: S3Store, s3_url: str) -> None:
    """What lies beside the prefix, under a longer name, is another place."""
    beside = S3Store(s3_url + "-old")
    beside.create("log/1", body=b"x")

    assert s3_store.top_level() == frozenset()
    assert [one.key for one in beside.objects("")] == ["log/1"]


def test_bucket_with_other_things_is_refused(s3_store: S3Store) -> None:
    """A prefix that holds something else stays as it is."""
    s3_store.put("holiday.jpg", chunks=[b"x"])

    with pytest.raises(UnusableRegistry, match=r"holiday\.jpg"):
        open_place(s3_store, new_id=counted_ids(), create=True)

    assert [one.key for one in s3_store.objects("")] == ["holiday.jpg"]


def test_missing_bucket_is_named(s3_environment: None) -> None:
    """A bucket that does not exist is not an empty registry."""
    store = S3Store("s3://tabard-nowhere/x")

    for act in (
        lambda: store.read("format.json", bytes_max=1),
        lambda: store.create("log/1", body=b"x"),
        lambda: store.put("blob/x", chunks=[b"x"]),
        store.top_level,
        lambda: list(store.objects("")),
        lambda: list(store.stream("blob/x")),
    ):
        with pytest.raises(StoreUnavailable, match="NoSuchBucket") as caught:
            act()
        assert "Create the bucket" in caught.value.hint


def test_bucket_of_its_own_needs_no_prefix(s3_url: str) -> None:
    """A registry may have a whole bucket."""
    bucket = s3_url.removeprefix("s3://").partition("/")[0]
    store = S3Store(f"s3://{bucket}/")

    assert store.create("log/1", body=b"x") is Outcome.CREATED

    assert store.url == f"s3://{bucket}"
    assert store.top_level() == {"log"}
    assert [one.key for one in store.objects("lo")] == ["log/1"]


@needs_real_s3
@pytest.mark.parametrize(
    ("name", "code", "remedy"),
    [
        ("AWS_ACCESS_KEY_ID", "InvalidAccessKeyId", "AWS_ACCESS_KEY_ID"),
        ("AWS_SECRET_ACCESS_KEY", "SignatureDoesNotMatch", "AWS_SECRET_ACCESS_KEY"),
    ],
)
def test_wrong_credentials_are_named(
    s3_url: str, monkeypatch: pytest.MonkeyPatch, name: str, code: str, remedy: str
) -> None:
    """A real store's own words about wrong credentials become a remedy."""
    monkeypatch.setenv(name, "wrong")
    store = S3Store(s3_url)

    for act in (lambda: store.create("a", body=b"x"), lambda: store.read("a", bytes_max=1)):
        with pytest.raises(StoreUnavailable, match=code) as caught:
            act()
        assert remedy in caught.value.hint


def begin_upload(url: str, *, parts: list[bytes]) -> str:
    """Leave an upload of `blob/x` behind, as a killed writer does."""
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    where, client = {"Bucket": bucket, "Key": f"{prefix}/blob/x"}, s3_client()
    upload = str(client.create_multipart_upload(**where)["UploadId"])
    for number, part in enumerate(parts, start=1):
        client.upload_part(**where, UploadId=upload, PartNumber=number, Body=part)
    return upload


def uploads(url: str) -> list[str]:
    """The uploads under way in the bucket."""
    bucket = url.removeprefix("s3://").partition("/")[0]
    found = s3_client().list_multipart_uploads(Bucket=bucket).get("Uploads", [])
    return [upload["UploadId"] for upload in found]


def watch(store: S3Store, operation: str, see: Any, *, when: str = "before-call") -> None:
    """Show every call of an operation to `see`."""
    events = store._bucket.client.meta.events
    events.register(f"{when}.s3.{operation}", lambda params=None, **_: see(params))


def part_number(params: dict[str, Any]) -> int:
    """The number of the part that a request sends."""
    return int(params["query_string"]["partNumber"])
