# SPDX-License-Identifier: Apache-2.0
"""One bucket and the prefix under which a registry lies, with the clients that reach it.

Endpoint, region and credentials are boto3's own business: environment, profiles, roles.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import boto3.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from tabard_registry.errors import StoreUnavailable, UnusableRegistry
from tabard_registry.store.s3.failures import FAILURES, explain

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]")
_PREFIX_LENGTH_MAX = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Limits:
    """How much is under way at once, and for how long.

    Attributes:
        part_bytes: One part of an upload, one range of a download; S3 wants at least 5 MiB.
        parts_in_flight_max: Parts or ranges under way at once, for each upload or download.
        reads_in_flight_max: Small objects read at once.
        attempts_max: Tries of a read whose bytes broke off, of each range by itself.
        connect_timeout_seconds: For a connection.
        read_timeout_seconds: Without a byte of an answer.
        pause_seconds: First pause between tries; doubles, with jitter.
    """

    part_bytes: int = 8 << 20
    parts_in_flight_max: int = 4
    reads_in_flight_max: int = 16
    attempts_max: int = 4
    connect_timeout_seconds: float = 5.0
    read_timeout_seconds: float = 20.0
    pause_seconds: float = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """A bucket, as the parts of the store share it.

    Attributes:
        name: Name of the bucket.
        root: What every key begins with: empty, or ends with a slash.
        client: Repeats requests that failed; for everything that may be done twice.
        commit_client: Sends each request once: who repeats a create must know what came of it.
    """

    name: str
    root: str
    client: Any
    commit_client: Any
    limits: S3Limits
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
            f"{self.url}: {key or 'the bucket'}: {told}", reason="STORE_UNAVAILABLE", hint=hint
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
        """Wait before another try: exponential, with full jitter."""
        self.sleep(self.rng.uniform(0, self.limits.pause_seconds * 2 ** min(attempt, 10)))


def open_bucket(
    url: str, *, limits: S3Limits, sleep: Callable[[float], None], rng: random.Random
) -> Bucket:
    """Parse `s3://bucket/prefix` and make the clients; nothing is asked of the store yet.

    Raises:
        UnusableRegistry: The address cannot be read, or boto3's own settings are wrong.
    """
    name, root = _parse(url)
    try:
        session = boto3.session.Session()
        client = session.client("s3", config=_config(limits, attempts=3))
        commit_client = session.client("s3", config=_config(limits, attempts=1))
    except (BotoCoreError, ValueError) as error:
        raise UnusableRegistry(
            f"{url}: {error}",
            reason="UNSUPPORTED_STORE",
            hint="Correct the profile, region or endpoint that boto3 reads (AWS_* and ~/.aws).",
        ) from error
    return Bucket(
        name=name,
        root=root,
        client=client,
        commit_client=commit_client,
        limits=limits,
        sleep=sleep,
        rng=rng,
    )


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


def _config(limits: S3Limits, *, attempts: int) -> Config:
    in_flight = max(limits.parts_in_flight_max, limits.reads_in_flight_max, 16)
    return Config(
        connect_timeout=limits.connect_timeout_seconds,
        read_timeout=limits.read_timeout_seconds,
        retries={"mode": "standard", "total_max_attempts": attempts},
        max_pool_connections=2 * in_flight,
        tcp_keepalive=True,
        # Newer checksums are not understood everywhere (over https they come as trailers). What
        # is sent carries its MD5, what is read is verified against digests.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
