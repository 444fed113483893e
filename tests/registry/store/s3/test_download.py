# SPDX-License-Identifier: Apache-2.0
import random
from dataclasses import replace

import pytest

from tabard_registry.errors import CorruptRegistry, StoreUnavailable
from tabard_registry.store.s3 import S3Store
from tests.registry.store.s3.misbehaving_server import LIMITS, PATH, Fault, ScriptedS3


def test_truncated_answer_is_asked_again(store: S3Store, server: ScriptedS3) -> None:
    """A body that breaks off is noticed; a small object is asked for again."""
    server.held[PATH] = b"0123456789"
    server.faults.append(Fault(method="GET", body_bytes_max=4))

    assert store.read("log/1", bytes_max=10) == b"0123456789"
    assert server.asked == ["GET", "GET"]


def test_truncated_range_is_asked_again(store: S3Store, server: ScriptedS3) -> None:
    """Each range of a stream goes on where it stopped, by itself; others are not asked again."""
    content = random.Random(1).randbytes(2500)
    server.held[PATH] = content
    server.faults.append(Fault(method="GET", body_bytes_max=300))

    assert b"".join(store.stream("log/1")) == content

    ranges = ["GET bytes=0-999", "GET bytes=300-999", "GET bytes=1000-1999", "GET bytes=2000-2499"]
    assert sorted(server.asked) == sorted(ranges)


def test_endless_truncation_is_an_error(store: S3Store, server: ScriptedS3) -> None:
    """Tries are bounded, and half an object is never given out as a whole one."""
    server.held[PATH] = b"0123456789"
    server.faults.extend([Fault(method="GET", body_bytes_max=1)] * 9)

    with pytest.raises(StoreUnavailable, match="log/1"):
        list(store.stream("log/1"))

    assert len(server.asked) == LIMITS.attempts_max


def test_answer_of_unknown_size_is_bounded(store: S3Store, server: ScriptedS3) -> None:
    """Without a length nothing larger than asked is taken, and all of the rest is."""
    server.held[PATH] = b"0123456789"
    server.is_chunked = True

    assert store.read("log/1", bytes_max=10) == b"0123456789"
    with pytest.raises(CorruptRegistry, match="larger than 9"):
        store.read("log/1", bytes_max=9)


def test_body_that_stands_still_is_left(server: ScriptedS3) -> None:
    """A range goes on where it stopped, on another connection, and nobody waits for the first."""
    limits = replace(LIMITS, stall_seconds=0.2, read_timeout_seconds=30.0)
    store = S3Store("s3://bucket/team", limits=limits)
    content = random.Random(1).randbytes(900)
    server.held[PATH] = content
    server.faults.extend([Fault(method="GET", body_bytes_max=300, is_held=True)] * 2)

    assert b"".join(store.stream("log/1")) == content
    assert server.asked == ["GET bytes=0-999", "GET bytes=300-999", "GET bytes=600-999"]


def test_small_object_that_stands_still_is_asked_again(server: ScriptedS3) -> None:
    """From its beginning: what is read whole may have been replaced meanwhile."""
    limits = replace(LIMITS, stall_seconds=0.2, read_timeout_seconds=30.0)
    store = S3Store("s3://bucket/team", limits=limits)
    server.held[PATH] = b"0123456789"
    server.faults.append(Fault(method="GET", body_bytes_max=4, is_held=True))

    assert store.read("log/1", bytes_max=10) == b"0123456789"
    assert server.asked == ["GET", "GET"]


def test_body_that_trickles_is_left(server: ScriptedS3) -> None:
    """Byte after byte, so that no time-out ever strikes: slower than the bound is too slow."""
    limits = replace(LIMITS, stall_seconds=0.3, bytes_per_second_min=100)
    store = S3Store("s3://bucket/team", limits=limits)
    content = random.Random(1).randbytes(900)
    server.held[PATH] = content
    server.faults.append(Fault(method="GET", trickle_seconds=0.05))

    assert b"".join(store.stream("log/1")) == content
    first, second = server.asked
    assert first == "GET bytes=0-999"
    assert 0 < int(second.removeprefix("GET bytes=").removesuffix("-999")) < 900


def test_progress_earns_new_tries(server: ScriptedS3) -> None:
    """A range that breaks off often but always brings enough is read to its end."""
    limits = replace(LIMITS, bytes_per_second_min=50)
    store = S3Store("s3://bucket/team", limits=limits, sleep=lambda seconds: None)
    content = random.Random(1).randbytes(1000)
    server.held[PATH] = content
    server.faults.extend([Fault(method="GET", body_bytes_max=60)] * 15)

    assert b"".join(store.stream("log/1")) == content
    assert len(server.asked) == 16
