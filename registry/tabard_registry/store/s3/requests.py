# SPDX-License-Identifier: Apache-2.0
"""How a request is sent that may be sent twice: again when it failed in passing, or beside itself.

One rule for every operation but the create, which is sent once: `failures.is_transient` says what
passes, and `S3Limits` how often it is tried. Knows nothing of what is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from functools import partial
from typing import Any, TypeVar

from tabard_registry.store.s3.bucket import Bucket
from tabard_registry.store.s3.failures import FAILURES, is_transient

T = TypeVar("T")

_MARKERS = {
    "list_objects_v2": {"ContinuationToken": "NextContinuationToken"},
    "list_multipart_uploads": {
        "KeyMarker": "NextKeyMarker",
        "UploadIdMarker": "NextUploadIdMarker",
    },
    "list_parts": {"PartNumberMarker": "NextPartNumberMarker"},
}
"""What the next page of a listing is asked with, and where the page before says it."""


def repeat(bucket: Bucket, ask: Callable[[], T], *, gained: Callable[[], int] = lambda: 0) -> T:
    """Ask until there is an answer, or it has failed too often in a row.

    Args:
        bucket: Whose limits count.
        ask: Asks once.
        gained: Says how many bytes there are by now; who brought enough begins to count anew.

    Raises:
        FAILURES: What the last try raised, or what no try would change.
    """
    attempt, counted = 0, 0
    while True:
        try:
            return ask()
        except FAILURES as error:
            if gained() - counted >= bucket.limits.bytes_per_second_min:
                attempt, counted = 0, gained()
            attempt += 1
            if attempt >= bucket.limits.attempts_max or not is_transient(error):
                raise
        bucket.pause(attempt)


def get_object(bucket: Bucket, key: str, **options: str) -> Any:
    """Ask for an object; ask again beside it while the answer is late, and take the first.

    So a store that comes back is noticed at once, however long an answer may take. When the first
    request fails all have: the others are younger.
    """
    limits = bucket.limits
    first = bucket.pool.submit(_get, bucket, key, options)
    asked, sent = {first}, 1
    try:
        while True:
            may_ask = sent < limits.beside_max
            done, asked = wait(
                asked,
                timeout=limits.late_seconds if may_ask else None,
                return_when=FIRST_COMPLETED,
            )
            for future in done:
                failure = future.exception()
                if failure is None:
                    asked |= done - {future}
                    return future.result()
                if future is first or not is_transient(failure):
                    raise failure
            if not done and may_ask:
                asked.add(bucket.pool.submit(_get, bucket, key, options))
                sent += 1
    finally:
        for future in asked:
            future.cancel()
            future.add_done_callback(_close_answer)


def pages(bucket: Bucket, operation: str, **options: Any) -> Iterator[Any]:
    """Yield the pages of a listing, each asked for by itself."""
    ask = getattr(bucket.reader, operation)
    while True:
        page = repeat(bucket, partial(ask, **options))
        yield page
        if not page.get("IsTruncated"):
            return
        options |= {name: page[told] for name, told in _MARKERS[operation].items() if told in page}


def _get(bucket: Bucket, key: str, options: dict[str, str]) -> Any:
    return bucket.reader.get_object(**bucket.where(key), **options)


def _close_answer(future: Future[Any]) -> None:
    if not future.cancelled() and future.exception() is None:
        future.result()["Body"].close()
