# SPDX-License-Identifier: Apache-2.0
import random

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
    """Each range of a stream is tried again by itself, the others are not."""
    content = random.Random(1).randbytes(2500)
    server.held[PATH] = content
    server.faults.append(Fault(method="GET", body_bytes_max=300))

    assert b"".join(store.stream("log/1")) == content

    ranges = ["GET bytes=0-999", "GET bytes=0-999", "GET bytes=1000-1999", "GET bytes=2000-2499"]
    assert sorted(server.asked) == sorted(ranges)


def test_endless_truncation_is_an_error(store: S3Store, server: ScriptedS3) -> None:
    """Tries are bounded, and half an object is never given out as a whole one."""
    server.held[PATH] = b"0123456789"
    server.faults.extend([Fault(method="GET", body_bytes_max=4)] * 20)

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
