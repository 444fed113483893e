# SPDX-License-Identifier: Apache-2.0
"""Reads of objects: small ones whole, large ones as ranges fetched ahead and given out in order.

Bytes that break off are asked for again, each range by itself; a short answer is never taken.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, IncompleteReadError

from tabard_registry.store.s3.bucket import Bucket
from tabard_registry.store.s3.failures import FAILURES, is_code

_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Some bytes of an object.

    Attributes:
        content: The bytes.
        total_bytes: Size of the whole object.
    """

    content: bytes
    total_bytes: int


class RangesIgnored(BotoCoreError):  # type: ignore[misc]
    """The store, or a cache before it, answers with the whole object when a range is asked."""

    fmt = "the store ignores the range of a request"


class TooLarge(Exception):
    """An object is larger than its reader takes; nothing of it was read."""


def read_whole(bucket: Bucket, key: str, *, bytes_max: int) -> bytes:
    """Return an object of at most `bytes_max`.

    Raises:
        TooLarge: It is larger.
        FAILURES: What boto3 raised.
    """
    for attempt in range(bucket.limits.attempts_max):
        answer = bucket.client.get_object(**bucket.where(key))
        with closing(answer["Body"]) as body:
            size_bytes = answer.get("ContentLength")
            if size_bytes is not None and size_bytes > bytes_max:
                raise TooLarge
            try:
                # Only a read to the end notices a short answer; one of unknown size is bounded.
                content = bytes(body.read(None if size_bytes is not None else bytes_max + 1))
                if len(content) > bytes_max:
                    raise TooLarge
                return content
            except FAILURES:
                if attempt + 1 == bucket.limits.attempts_max:
                    raise
        bucket.pause(attempt)
    raise AssertionError("unreachable: attempts_max is positive")


def read_range(bucket: Bucket, key: str, *, start: int, length: int) -> Part | None:
    """Return the bytes from `start`, at most `length`; None when the object ends before.

    Raises:
        FAILURES: What boto3 raised.
    """
    asked = f"bytes={start}-{start + length - 1}"
    for attempt in range(bucket.limits.attempts_max):
        try:
            answer = bucket.client.get_object(**bucket.where(key), Range=asked)
        except ClientError as error:
            if is_code(error, "InvalidRange", "416"):
                return None
            raise
        try:
            with closing(answer["Body"]):
                return _whole_part(answer, start=start, length=length)
        except FAILURES:
            if attempt + 1 == bucket.limits.attempts_max:
                raise
        bucket.pause(attempt)
    raise AssertionError("unreachable: attempts_max is positive")


def stream(bucket: Bucket, key: str, *, start: int, length: int | None) -> Iterator[bytes]:
    """Yield the bytes `[start, start + length)`, a range at a time, the next ones under way.

    Raises:
        FAILURES: What boto3 raised.
    """
    step = bucket.limits.part_bytes
    first = read_range(
        bucket, key, start=start, length=step if length is None else min(step, length)
    )
    if first is None:
        return
    yield first.content
    end = first.total_bytes if length is None else min(first.total_bytes, start + length)
    starts = iter(range(start + len(first.content), end, step))
    with ThreadPoolExecutor(max_workers=bucket.limits.parts_in_flight_max) as pool:

        def ask(at: int) -> Future[Part | None]:
            return pool.submit(read_range, bucket, key, start=at, length=min(step, end - at))

        under_way = deque(ask(at) for at in islice(starts, bucket.limits.parts_in_flight_max))
        try:
            while under_way:
                part = under_way.popleft().result()
                if part is None:
                    raise IncompleteReadError(actual_bytes=0, expected_bytes=end)
                under_way.extend(ask(at) for at in islice(starts, 1))
                yield part.content
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _whole_part(answer: Any, *, start: int, length: int) -> Part:
    """Read the body, if the answer is about the range that was asked, and all of it."""
    found = _CONTENT_RANGE.fullmatch(answer.get("ContentRange", ""))
    if found is None:
        raise RangesIgnored
    first, last, total = (int(group) for group in found.groups())
    expected = min(length, total - start)
    if (first, last - first + 1) != (start, expected):
        raise RangesIgnored
    content = bytes(answer["Body"].read())
    if len(content) != expected:
        raise IncompleteReadError(actual_bytes=len(content), expected_bytes=expected)
    return Part(content=content, total_bytes=total)
