# SPDX-License-Identifier: Apache-2.0
"""Reads of objects: small ones whole, large ones as ranges fetched ahead and given out in order.

A body that breaks off, stands still or trickles is left; a range goes on from where it stopped. A
short answer is never taken.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any

from botocore.exceptions import ClientError, IncompleteReadError

from tabard_registry.store.s3.bucket import Bucket
from tabard_registry.store.s3.failures import BodyTooSlow, RangesIgnored, is_code
from tabard_registry.store.s3.requests import get_object, repeat

_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")
_PIECE_BYTES = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Some bytes of an object.

    Attributes:
        content: The bytes.
        total_bytes: Size of the whole object.
    """

    content: bytes
    total_bytes: int


class TooLarge(Exception):
    """An object is larger than its reader takes; nothing of it was read."""


def read_whole(bucket: Bucket, key: str, *, bytes_max: int) -> bytes:
    """Return an object of at most `bytes_max`.

    Raises:
        TooLarge: It is larger.
        FAILURES: What boto3 raised.
    """

    def read() -> bytes:
        answer = get_object(bucket, key)
        size_bytes = answer.get("ContentLength")
        with closing(answer["Body"]):
            if size_bytes is not None and size_bytes > bytes_max:
                raise TooLarge
            content = bytearray()
            for piece in _pieces(bucket, answer):
                content += piece
                if len(content) > bytes_max:
                    raise TooLarge
        _require_bytes(len(content), expected=size_bytes)
        return bytes(content)

    return repeat(bucket, read)


def read_range(bucket: Bucket, key: str, *, start: int, length: int) -> Part | None:
    """Return the bytes from `start`, at most `length`; None when the object ends before.

    Raises:
        FAILURES: What boto3 raised.
    """
    content = bytearray()

    def read_on() -> int | None:
        return _extend(bucket, key, content, start=start, length=length)

    total = repeat(bucket, read_on, gained=lambda: len(content))
    return None if total is None else Part(content=bytes(content), total_bytes=total)


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


def _extend(bucket: Bucket, key: str, content: bytearray, *, start: int, length: int) -> int | None:
    """Read on where a range stopped; return the size of the object, None when it ends before."""
    at = start + len(content)
    try:
        answer = get_object(bucket, key, Range=f"bytes={at}-{start + length - 1}")
    except ClientError as error:
        if is_code(error, "InvalidRange", "416"):
            return None
        raise
    with closing(answer["Body"]):
        found = _CONTENT_RANGE.fullmatch(answer.get("ContentRange", ""))
        if found is None:
            raise RangesIgnored
        first, last, total = (int(group) for group in found.groups())
        if (first, last) != (at, min(start + length, total) - 1):
            raise RangesIgnored
        left = last - first + 1
        for piece in _pieces(bucket, answer):
            if len(piece) > left:
                raise RangesIgnored
            content += piece
            left -= len(piece)
        _require_bytes(last - first + 1 - left, expected=last - first + 1)
    return total


def _pieces(bucket: Bucket, answer: Any) -> Iterator[bytes]:
    """Yield a body as it comes; give up one that stands still, or that trickles."""
    limits, body, got = bucket.limits, answer["Body"], 0
    begun_at = bucket.clock()
    if answer.get("ContentLength") != 0:
        # Where the socket cannot be reached the time for a first byte counts.
        with suppress(AttributeError):
            body.set_socket_timeout(limits.stall_seconds)
    with body as raw:
        while piece := raw.read1(_PIECE_BYTES):
            got += len(piece)
            yield piece
            seconds = bucket.clock() - begun_at
            if seconds > limits.stall_seconds + got / limits.bytes_per_second_min:
                raise BodyTooSlow(bytes=got, seconds=seconds)


def _require_bytes(found: int, *, expected: int | None) -> None:
    if expected is not None and found != expected:
        raise IncompleteReadError(actual_bytes=found, expected_bytes=expected)
