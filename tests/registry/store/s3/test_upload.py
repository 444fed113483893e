# SPDX-License-Identifier: Apache-2.0
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tabard_registry.errors import CorruptRegistry, StoreUnavailable
from tabard_registry.store.s3 import S3Store
from tests.registry.store.conftest import SMALL_PARTS
from tests.registry.store.s3.uploads import LARGE, PARTS, begin_upload, part_number, uploads, watch


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
