# SPDX-License-Identifier: Apache-2.0
"""One bucket and the prefix under which a registry lies, with the clients that reach it.

Endpoint, region and credentials are boto3's own business: environment, profiles, roles.
"""

from __future__ import annotations

import os
import random
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import boto3.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from tabard_registry.errors import StoreUnavailable, UnusableRegistry
from tabard_registry.store.s3.failures import FAILURES, explain, is_transient

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]")
_PREFIX_LENGTH_MAX = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Limits:
    """How much is under way at once, and for how long.

    Attributes:
        part_bytes: One part of an upload, one range of a download; S3 wants at least 5 MiB.
        parts_in_flight_max: Parts or ranges under way at once, for each upload or download.
        reads_in_flight_max: Small objects read at once.
        attempts_max: Tries in a row of a request that failed in passing, of each range by itself.
        beside_max: Requests for one object that wait beside each other.
        late_seconds: Without an answer, until an object is asked for again beside.
        stall_seconds: Without a byte of a body.
        bytes_per_second_min: A body that comes more slowly is asked for anew.
        connect_timeout_seconds: For a connection.
        read_timeout_seconds: Without a byte of an answer to a read.
        write_timeout_seconds: Without a byte of an answer to a write.
        pause_seconds: First pause between tries; doubles, with jitter.
        pause_seconds_max: Longest pause.
    """

    part_bytes: int = 8 << 20
    parts_in_flight_max: int = 4
    reads_in_flight_max: int = 16
    attempts_max: int = 6
    beside_max: int = 5
    late_seconds: float = 1.0
    stall_seconds: float = 2.0
    bytes_per_second_min: int = 1 << 16
    connect_timeout_seconds: float = 5.0
    read_timeout_seconds: float = 6.0
    write_timeout_seconds: float = 20.0
    pause_seconds: float = 0.1
    pause_seconds_max: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """A bucket, as the parts of the store share it.

    Attributes:
        name: Name of the bucket.
        root: What every key begins with: empty, or ends with a slash.
        reader: Sends a read, once; who may repeat it does so by `requests`.
        writer: Sends a write, once: who repeats a create must know what came of it.
        pool: Where requests wait beside each other.
    """

    name: str
    root: str
    reader: Any
    writer: Any
    limits: S3Limits
    pool: ThreadPoolExecutor
    clock: Callable[[], float]
    sleep: Callable[[float], None]
    rng: random.Random

    @property
    def url(self) -> str:
        """`s3://bucket/prefix`."""
        return f"s3://{self.name}/{self.root}".rstrip("/")

    def where(self, key: str) -> dict[str, str]:
        """Give the arguments that name an object to boto3."""
        assert ".." not in key.split("/") and not key.startswith("/"), key
        return {"Bucket": self.name, "Key": self.root + key}

    def failed(self, error: Exception, *, key: str) -> StoreUnavailable:
        """Translate a failure of boto3."""
        told, hint = explain(error)
        return StoreUnavailable(
            f"{self.url}: {key or 'the bucket'}: {told}",
            reason="STORE_UNAVAILABLE",
            hint=hint,
            is_passing=is_transient(error),
        )

    @contextmanager
    def asked(self, key: str) -> Iterator[None]:
        """Translate what boto3 raises in the block.

        Raises:
            StoreUnavailable: The store refused or did not answer.
        """
        try:
            yield
        except FAILURES as error:
            raise self.failed(error, key=key) from error

    def pause(self, attempt: int) -> None:
        """Wait before another try: exponential, bounded, with full jitter."""
        longest = self.limits.pause_seconds * 2 ** min(attempt - 1, 10)
        self.sleep(self.rng.uniform(0, min(longest, self.limits.pause_seconds_max)))


def open_bucket(
    url: str,
    *,
    limits: S3Limits,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
    rng: random.Random,
) -> Bucket:
    """Parse `s3://bucket/prefix` and make the clients; nothing is asked of the store yet.

    Raises:
        UnusableRegistry: The address cannot be read, or boto3's own settings are wrong.
    """
    name, root = _parse(url)
    try:
        session = boto3.session.Session()
        reader = session.client("s3", config=_config(limits, limits.read_timeout_seconds))
        writer = session.client("s3", config=_config(limits, limits.write_timeout_seconds))
    except (BotoCoreError, ValueError) as error:
        raise UnusableRegistry(
            f"{url} cannot be opened with what boto3 is told: {_told_to_boto() or 'its files'}",
            reason="UNSUPPORTED_STORE",
            hint="Correct the profile, region or endpoint that boto3 reads (AWS_* and ~/.aws).",
        ) from error
    return Bucket(
        name=name,
        root=root,
        reader=reader,
        writer=writer,
        limits=limits,
        pool=ThreadPoolExecutor(_in_flight_max(limits), thread_name_prefix="tabard-s3"),
        clock=clock,
        sleep=sleep,
        rng=rng,
    )


def _told_to_boto() -> str:
    """Show the variables that can be wrong; none of them is a secret."""
    names = (
        "AWS_PROFILE",
        "AWS_ENDPOINT_URL_S3",
        "AWS_ENDPOINT_URL",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
    )
    return ", ".join(f"{name}={os.environ[name]}" for name in names if name in os.environ)


def _parse(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    segments = [segment for segment in parts.path.split("/") if segment]
    is_clean = (
        parts.scheme == "s3"
        and _BUCKET.fullmatch(parts.netloc)
        and not (parts.query or parts.fragment)
        and not {".", ".."}.intersection(segments)
        and len(parts.path.encode()) <= _PREFIX_LENGTH_MAX
        and parts.path.isprintable()
    )
    if not is_clean:
        raise UnusableRegistry(
            f"{url!r} is not the address of a bucket",
            reason="UNSUPPORTED_STORE",
            hint="Write `s3://bucket/prefix`; endpoint and credentials go where boto3 looks.",
        )
    return parts.netloc, "".join(f"{segment}/" for segment in segments)


def _in_flight_max(limits: S3Limits) -> int:
    in_flight = max(limits.parts_in_flight_max, limits.reads_in_flight_max, 16)
    return 2 * in_flight * limits.beside_max


def _config(limits: S3Limits, timeout_seconds: float) -> Config:
    return Config(
        connect_timeout=limits.connect_timeout_seconds,
        read_timeout=timeout_seconds,
        # Who may repeat a request says so: boto3 repeats some failures and not others.
        retries={"mode": "standard", "total_max_attempts": 1},
        max_pool_connections=_in_flight_max(limits),
        tcp_keepalive=True,
        # Newer checksums are not understood everywhere (over https they come as trailers). What
        # is sent carries its MD5, what is read is verified against digests.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
