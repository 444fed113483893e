# SPDX-License-Identifier: Apache-2.0
"""Uploads of content-addressed bytes: one request when they are few, else parts sent in parallel.

An upload that broke off is taken up: parts that arrived are compared by MD5 and not sent again.
The object appears when the last request completes it, whole; until then nobody sees anything.
"""

from __future__ import annotations

import base64
import hashlib
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from typing import Any

from tabard_registry.errors import StoreUnavailable
from tabard_registry.store.s3.bucket import Bucket
from tabard_registry.store.s3.failures import FAILURES, is_code
from tabard_registry.store.s3.requests import pages, repeat

PARTS_MAX = 10_000
"""S3 takes no more parts in one upload."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Upload:
    """An upload under way.

    Attributes:
        upload_id: The store's id of it.
        arrived: MD5 and size of the parts that the store has already, by number.
        is_ours: Whether we began it; another's is never aborted.
    """

    upload_id: str
    arrived: dict[int, tuple[str, int]]
    is_ours: bool


def upload(bucket: Bucket, key: str, *, chunks: Iterable[bytes]) -> None:
    """Store all bytes, or nothing when iterating `chunks` raises.

    Raises:
        StoreUnavailable: There are more bytes than S3 takes.
        FAILURES: What boto3 raised; what arrived is taken up by the next try.
    """
    parts = _cut(chunks, part_bytes=bucket.limits.part_bytes)
    first, second = next(parts, b""), next(parts, None)
    if second is None:
        put_whole(bucket, key, body=first)
        return
    begun = _take_up(bucket, key) or _begin(bucket, key)
    try:
        sent = _send_parts(bucket, key, begun, parts=chain((first, second), parts))
    except FAILURES:
        raise
    except BaseException:
        if begun.is_ours:
            abort(bucket, key, upload_id=begun.upload_id)
        raise
    _complete(bucket, key, begun, sent=sent)


def put_whole(bucket: Bucket, key: str, *, body: bytes) -> None:
    """Store an object in one request, whatever was there."""
    where, md5 = bucket.where(key), content_md5(body)
    repeat(bucket, lambda: bucket.writer.put_object(**where, Body=body, ContentMD5=md5))


def abort(bucket: Bucket, key: str, *, upload_id: str) -> None:
    """Let the store forget an upload; when it does not answer, the upload stays for a sweep."""
    with suppress(*FAILURES):
        bucket.writer.abort_multipart_upload(**bucket.where(key), UploadId=upload_id)


def content_md5(body: bytes) -> str:
    """Give the MD5 with which the store checks what arrived."""
    return base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()


def _cut(chunks: Iterable[bytes], *, part_bytes: int) -> Iterator[bytes]:
    pending = bytearray()
    for chunk in chunks:
        pending += chunk
        while len(pending) >= part_bytes:
            yield bytes(pending[:part_bytes])
            del pending[:part_bytes]
    if pending:
        yield bytes(pending)


def _take_up(bucket: Bucket, key: str) -> _Upload | None:
    """Find the newest upload of this key and what has arrived of it."""
    name = bucket.where(key)["Key"]
    try:
        found = [
            one
            for page in pages(bucket, "list_multipart_uploads", Bucket=bucket.name, Prefix=name)
            for one in page.get("Uploads", ())
            if one["Key"] == name
        ]
        if not found:
            return None
        upload_id = max(found, key=lambda one: one["Initiated"])["UploadId"]
        where = bucket.where(key)
        arrived = {
            part["PartNumber"]: (part["ETag"].strip('"'), part["Size"])
            for page in pages(bucket, "list_parts", **where, UploadId=upload_id)
            for part in page.get("Parts", ())
        }
    except FAILURES as error:
        # A role or a store that cannot list uploads sends everything again.
        if is_code(error, "AccessDenied", "403", "NotImplemented", "NoSuchUpload"):
            return None
        raise
    return _Upload(upload_id=upload_id, arrived=arrived, is_ours=False)


def _begin(bucket: Bucket, key: str) -> _Upload:
    where = bucket.where(key)
    answer = repeat(bucket, lambda: bucket.writer.create_multipart_upload(**where))
    return _Upload(upload_id=answer["UploadId"], arrived={}, is_ours=True)


def _send_parts(
    bucket: Bucket, key: str, begun: _Upload, *, parts: Iterable[bytes]
) -> list[dict[str, Any]]:
    in_flight_max = bucket.limits.parts_in_flight_max
    sent: list[dict[str, Any]] = []
    under_way: deque[Future[dict[str, Any]]] = deque()
    with ThreadPoolExecutor(max_workers=in_flight_max) as pool:
        try:
            for number, content in enumerate(parts, start=1):
                if number > PARTS_MAX:
                    raise _too_large(bucket, key)
                if len(under_way) == in_flight_max:
                    sent.append(under_way.popleft().result())
                under_way.append(
                    pool.submit(_send_part, bucket, key, begun, number=number, content=content)
                )
            sent.extend(future.result() for future in under_way)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    return sent


def _send_part(
    bucket: Bucket, key: str, begun: _Upload, *, number: int, content: bytes
) -> dict[str, Any]:
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if begun.arrived.get(number) == (md5, len(content)):
        return {"PartNumber": number, "ETag": f'"{md5}"'}
    answer = repeat(
        bucket,
        lambda: bucket.writer.upload_part(
            **bucket.where(key),
            UploadId=begun.upload_id,
            PartNumber=number,
            Body=content,
            ContentMD5=content_md5(content),
        ),
    )
    return {"PartNumber": number, "ETag": answer["ETag"]}


def _complete(bucket: Bucket, key: str, begun: _Upload, *, sent: list[dict[str, Any]]) -> None:
    try:
        repeat(
            bucket,
            lambda: bucket.writer.complete_multipart_upload(
                **bucket.where(key), UploadId=begun.upload_id, MultipartUpload={"Parts": sent}
            ),
        )
    except FAILURES as error:
        # Our own lost answer, or another writer of the same bytes, has completed it.
        if not is_code(error, "NoSuchUpload", "404"):
            raise
        with suppress(*FAILURES):
            repeat(bucket, lambda: bucket.reader.head_object(**bucket.where(key)))
            return
        raise


def _too_large(bucket: Bucket, key: str) -> StoreUnavailable:
    return StoreUnavailable(
        f"{bucket.url}: {key} has more than {PARTS_MAX * bucket.limits.part_bytes} bytes",
        reason="STORE_UNAVAILABLE",
        hint="Store fewer bytes in one file.",
    )
