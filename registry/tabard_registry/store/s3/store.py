# SPDX-License-Identifier: Apache-2.0
"""Implements `Store` in a bucket: a create is one PutObject with `If-None-Match: *`, sent once.

Safe to use from several threads. Any number of processes may write, where `tabard doctor` finds
that the bucket elects one winner; elsewhere one may, in the single-writer mode.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from tabard_registry.errors import (
    RESTORE_BLOB,
    CorruptRegistry,
    NotFound,
    StoreUnavailable,
    restore_object,
)
from tabard_registry.store.probe import StoreProbe
from tabard_registry.store.s3.bucket import S3Limits, open_bucket
from tabard_registry.store.s3.download import TooLarge, read_whole, stream
from tabard_registry.store.s3.failures import FAILURES, is_missing, outcome_of_create
from tabard_registry.store.s3.probe import S3Probe
from tabard_registry.store.s3.requests import pages, repeat
from tabard_registry.store.s3.upload import abort, content_md5, put_whole, upload
from tabard_registry.store.store import Outcome, StoredObject

UPLOAD_AGE_SECONDS_MAX = 7 * 24 * 3600
"""Uploads that nobody took up for so long are forgotten by a sweep."""

_TOP_LEVEL_PAGES_MAX = 10


class S3Store:
    """Implements `Store` on `s3://bucket/prefix`.

    Args:
        url: `s3://bucket/prefix`.
        single_writer: For a bucket that cannot create conditionally: a create looks, writes, and
            looks again. Safe while one process writes, and with two it loses records.
        limits: How much is under way at once.
        sleep: Waits some seconds, between tries of a read.
        rng: Jitter of those waits.
    """

    def __init__(
        self,
        url: str,
        *,
        single_writer: bool = False,
        limits: S3Limits | None = None,
        sleep: Callable[[float], None] = time.sleep,
        rng: random.Random | None = None,
    ) -> None:
        self._bucket = open_bucket(
            url,
            limits=limits or S3Limits(),
            clock=time.monotonic,
            sleep=sleep,
            rng=rng or random.Random(),
        )
        self._single_writer = single_writer
        self._writing = threading.Lock()

    @property
    def url(self) -> str:
        """`s3://bucket/prefix`."""
        return self._bucket.url

    @property
    def needs_doctor(self) -> bool:
        """Yes, unless its owner gave his word that one process writes."""
        return not self._single_writer

    @property
    def is_swept_when_opened(self) -> bool:
        """No: a bucket is asked for its uploads page by page, so only garbage collection does."""
        return False

    def create(self, key: str, *, body: bytes) -> Outcome:
        """Send the object once, on condition that it is new."""
        if self._single_writer:
            with self._writing:
                return self._create_alone(key, body=body)
        return self._send_once(key, body=body, IfNoneMatch="*")

    def read(self, key: str, *, bytes_max: int) -> bytes | None:
        """Get one object."""
        try:
            return read_whole(self._bucket, key, bytes_max=bytes_max)
        except TooLarge as error:
            raise CorruptRegistry(
                f"{key} is larger than {bytes_max} bytes",
                reason="CORRUPT_RECORD",
                hint=restore_object(key),
            ) from error
        except FAILURES as error:
            if is_missing(error):
                return None
            raise self._bucket.failed(error, key=key) from error

    def read_many(self, keys: Sequence[str], *, bytes_max: int) -> list[bytes | None]:
        """Get some objects at once."""
        if len(keys) < 2:
            return [self.read(key, bytes_max=bytes_max) for key in keys]
        threads = min(len(keys), self._bucket.limits.reads_in_flight_max)
        with ThreadPoolExecutor(max_workers=threads) as pool:
            try:
                return list(pool.map(partial(self.read, bytes_max=bytes_max), keys))
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def put(self, key: str, *, chunks: Iterable[bytes]) -> None:
        """Upload in one request or in parallel parts; taken up when it broke off before."""
        if self.size_bytes(key) is not None:
            return
        with self._bucket.asked(key):
            upload(self._bucket, key, chunks=chunks)

    def replace(self, key: str, *, body: bytes) -> None:
        """Put the object; S3 shows the old or the new one."""
        with self._bucket.asked(key):
            put_whole(self._bucket, key, body=body)

    def delete(self, key: str) -> None:
        """Delete the object; S3 does not mind when it is missing."""
        where = self._bucket.where(key)
        with self._bucket.asked(key):
            repeat(self._bucket, lambda: self._bucket.writer.delete_object(**where))

    def objects(self, prefix: str) -> Iterator[StoredObject]:
        """List page by page, in the order of the keys; ages are by the clock of the answers."""
        with self._bucket.asked(prefix):
            for page in self._pages(prefix):
                now = _date_of(page)
                for found in page.get("Contents", ()):
                    key = found["Key"].removeprefix(self._bucket.root)
                    if key and not key.startswith("tmp/"):
                        age = (now - found["LastModified"]).total_seconds()
                        yield StoredObject(
                            key=key, size_bytes=found["Size"], age_seconds=max(0.0, age)
                        )

    def size_bytes(self, key: str) -> int | None:
        """Ask for the head of the object."""
        bucket, where = self._bucket, self._bucket.where(key)
        try:
            head = repeat(bucket, lambda: bucket.reader.head_object(**where))
            return int(head["ContentLength"])
        except FAILURES as error:
            if is_missing(error):
                return None
            raise self._bucket.failed(error, key=key) from error

    def stream(self, key: str, *, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Get ranges ahead, in parallel, and yield them in order."""
        if length == 0:
            if self.size_bytes(key) is None:
                raise self._missing(key)
            return
        try:
            yield from stream(self._bucket, key, start=start, length=length)
        except FAILURES as error:
            if is_missing(error):
                raise self._missing(key) from error
            raise self._bucket.failed(error, key=key) from error

    def local_path(self, key: str) -> Path | None:
        """Nothing is a file here."""
        return None

    def top_level(self) -> frozenset[str]:
        """List the first names; a foreign bucket of many objects is not listed to its end."""
        names: set[str] = set()
        root = self._bucket.root
        with self._bucket.asked(""):
            for page in islice(self._pages("", Delimiter="/"), _TOP_LEVEL_PAGES_MAX):
                names.update(found["Key"] for found in page.get("Contents", ()))
                names.update(found["Prefix"] for found in page.get("CommonPrefixes", ()))
        # Consoles make an empty object to show the prefix as a folder: it is nobody's.
        return frozenset(name.removeprefix(root).split("/")[0] for name in names - {root})

    def sweep(self) -> int:
        """Forget uploads that broke off more than a week ago; return how many."""
        count = 0
        bucket = self._bucket
        where = {"Bucket": bucket.name, "Prefix": bucket.root}
        with bucket.asked("uploads"):
            for page in pages(bucket, "list_multipart_uploads", **where):
                now = _date_of(page)
                for found in page.get("Uploads", ()):
                    if (now - found["Initiated"]).total_seconds() > UPLOAD_AGE_SECONDS_MAX:
                        key = found["Key"].removeprefix(self._bucket.root)
                        abort(self._bucket, key, upload_id=found["UploadId"])
                        count += 1
        return count

    def probe(self) -> StoreProbe:
        """Give what only an object store can be asked."""
        return S3Probe(self._bucket)

    def _send_once(self, key: str, *, body: bytes, **condition: str) -> Outcome:
        try:
            self._bucket.writer.put_object(
                **self._bucket.where(key), Body=body, ContentMD5=content_md5(body), **condition
            )
        except FAILURES as error:
            outcome = outcome_of_create(error)
            if outcome is None:
                raise self._bucket.failed(error, key=key) from error
            return outcome
        return Outcome.CREATED

    def _create_alone(self, key: str, *, body: bytes) -> Outcome:
        if self.read(key, bytes_max=len(body) + (1 << 20)) is not None:
            return Outcome.OCCUPIED
        outcome = self._send_once(key, body=body)
        if outcome is not Outcome.CREATED:
            return outcome
        try:
            found = self.read(key, bytes_max=len(body) + (1 << 20))
        except StoreUnavailable:
            return Outcome.UNKNOWN
        if found is None:
            return Outcome.UNKNOWN
        return Outcome.CREATED if found == body else Outcome.OCCUPIED

    def _pages(self, prefix: str, **options: str) -> Iterator[Any]:
        where = {"Bucket": self._bucket.name, "Prefix": self._bucket.root + prefix}
        return pages(self._bucket, "list_objects_v2", **where, **options)

    def _missing(self, key: str) -> NotFound:
        return NotFound(
            f"{key} is not in {self.url}",
            reason="BLOB_NOT_FOUND",
            hint=RESTORE_BLOB,
        )


def _date_of(answer: Any) -> datetime:
    told = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
    return parsedate_to_datetime(told) if told else datetime.now(UTC)
