# SPDX-License-Identifier: Apache-2.0
"""S3Store against a server that loses answers, refuses, breaks off and stays silent."""

import random
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tabard_registry.errors import RegistryError, StoreUnavailable
from tabard_registry.log.records import Action, Record
from tabard_registry.log.slots import Log, LogLimits
from tabard_registry.refs.digest import sha256_bytes
from tabard_registry.store.s3 import S3Store
from tabard_registry.store.s3.failures import explain
from tabard_registry.store.store import Outcome
from tests.registry.store.s3.misbehaving_server import LIMITS, PATH, Fault, ScriptedS3, refusal

RESET = Fault(method="PUT")
STORED_THEN_RESET = Fault(method="PUT", does_it=True)
STORED_THEN_500 = Fault(method="PUT", does_it=True, status=500, code="InternalError")
STORED_THEN_SILENT = Fault(method="PUT", does_it=True, status=-1)


@pytest.mark.parametrize("fault", [RESET, STORED_THEN_RESET, STORED_THEN_500, STORED_THEN_SILENT])
def test_lost_answer_is_unknown(store: S3Store, server: ScriptedS3, fault: Fault) -> None:
    """Whether the object is there or not, nothing is claimed, and nothing is sent twice."""
    server.faults.append(fault)

    assert store.create("log/1", body=b"x") is Outcome.UNKNOWN

    assert server.asked == ["PUT"]
    assert (PATH in server.held) is fault.does_it


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (409, "ConditionalRequestConflict"),
        (409, "OperationAborted"),
        (500, "InternalError"),
        (502, ""),
        (503, "SlowDown"),
        (504, ""),
        (429, "TooManyRequests"),
        (408, ""),
        (400, "RequestTimeout"),
    ],
)
def test_answer_that_proves_nothing(
    store: S3Store, server: ScriptedS3, status: int, code: str
) -> None:
    """A conflict, an overload and a time-out leave the slot to be read."""
    server.faults.append(refusal(status, code))

    assert store.create("log/1", body=b"x") is Outcome.UNKNOWN
    assert server.asked == ["PUT"]


def test_precondition_failed_is_occupied(store: S3Store, server: ScriptedS3) -> None:
    """412 says that the object is there, perhaps by an earlier try of ours."""
    server.faults.append(STORED_THEN_RESET)

    outcomes = [store.create("log/1", body=b"x") for _ in range(2)]

    assert outcomes == [Outcome.UNKNOWN, Outcome.OCCUPIED]


@pytest.mark.parametrize(
    ("status", "code", "remedy"),
    [
        (403, "AccessDenied", "s3:PutObject"),
        (403, "InvalidAccessKeyId", "AWS_ACCESS_KEY_ID"),
        (403, "SignatureDoesNotMatch", "AWS_SECRET_ACCESS_KEY"),
        (403, "RequestTimeTooSkewed", "clock"),
        (400, "ExpiredToken", "sign in"),
        (404, "NoSuchBucket", "Create the bucket"),
        (501, "NotImplemented", "--single-writer"),
        (405, "MethodNotAllowed", "--single-writer"),
        (400, "Strange", "Strange"),
    ],
)
def test_refused_create_says_why(
    store: S3Store, server: ScriptedS3, status: int, code: str, remedy: str
) -> None:
    """A refusal is certain: nothing was written. It names the object and the remedy."""
    server.faults.append(refusal(status, code))

    with pytest.raises(StoreUnavailable, match=r"s3://bucket/team: log/1: .*" + code) as caught:
        store.create("log/1", body=b"x")

    assert caught.value.reason == "STORE_UNAVAILABLE"
    assert remedy in caught.value.hint
    assert server.held == {}


READS: dict[str, Callable[[S3Store], object]] = {
    "read": lambda store: store.read("log/1", bytes_max=9),
    "read many": lambda store: store.read_many(["log/1", "log/1"], bytes_max=9),
    "stream": lambda store: list(store.stream("log/1")),
}


@pytest.mark.parametrize("read", READS.values(), ids=READS.keys())
def test_forbidden_read_is_not_missing(
    store: S3Store, server: ScriptedS3, read: Callable[[S3Store], object]
) -> None:
    """403 for a missing key, as a role without s3:ListBucket gets it, is never read as empty."""
    server.faults.extend([refusal(403, "AccessDenied", "GET")] * 2)

    with pytest.raises(StoreUnavailable, match="log/1") as caught:
        read(store)

    assert "s3:ListBucket" in caught.value.hint


def test_unreachable_store_is_named(server: ScriptedS3, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listening: certain, typed, with the endpoint in the message."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")
    store = S3Store("s3://bucket/team", limits=LIMITS)

    for act in (lambda: store.create("log/1", body=b"x"), lambda: store.read("a", bytes_max=1)):
        with pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1:1") as caught:
            act()
        assert "AWS_ENDPOINT_URL_S3" in caught.value.hint


def test_missing_credentials_are_named(server: ScriptedS3, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without credentials nothing is sent."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    store = S3Store("s3://bucket/team", limits=LIMITS)

    with pytest.raises(StoreUnavailable, match="log/1") as caught:
        store.create("log/1", body=b"x")

    assert "AWS_PROFILE" in caught.value.hint
    assert server.asked == []


def test_settled_claim_of_lost_answer(store: S3Store, server: ScriptedS3) -> None:
    """A log over this store finds its own record after a lost answer, once."""
    server.faults.extend([refusal(409, "ConditionalRequestConflict"), STORED_THEN_RESET])
    log = Log(store, limits=LogLimits(), sleep=lambda seconds: None, rng=random.Random(0))
    record = _record()

    entry = log.claim(record)

    assert entry.record.id == record.id
    assert list(server.held) == ["/bucket/team/log/00000000000000000001.json"]


def test_single_writer_reads_back(server: ScriptedS3) -> None:
    """Without conditions a create looks, writes, and looks again."""
    store = S3Store("s3://bucket/team", limits=LIMITS, single_writer=True)
    assert not store.needs_doctor

    outcomes = [store.create("log/1", body=b"x"), store.create("log/1", body=b"y")]
    server.faults.extend([Fault(method="GET", body_bytes_max=None, status=404, code="NoSuchKey")])
    server.faults.append(STORED_THEN_500)
    lost = store.create("log/2", body=b"z")

    assert outcomes == [Outcome.CREATED, Outcome.OCCUPIED]
    assert lost is Outcome.UNKNOWN
    assert server.asked == ["GET", "PUT", "GET", "GET", "GET", "PUT"]


def test_answer_of_something_else_is_typed(store: S3Store, server: ScriptedS3) -> None:
    """A page that is no S3 at all is told, not thrown."""
    server.faults.extend([Fault(method="GET", status=200, code="</p><br>")] * 20)

    with pytest.raises(StoreUnavailable, match="the bucket"):
        store.top_level()


@pytest.mark.parametrize("act", ["put", "replace", "delete", "size_bytes"])
def test_every_refusal_is_typed(store: S3Store, server: ScriptedS3, act: str) -> None:
    """No call lets an exception of boto3 out."""
    method = {"delete": "DELETE", "size_bytes": "HEAD", "put": "PUT", "replace": "PUT"}[act]
    if act == "put":
        server.faults.append(Fault(method="HEAD", status=404))
    server.faults.append(refusal(403, "AccessDenied", method))
    options = {"put": {"chunks": [b"x"]}, "replace": {"body": b"x"}}.get(act, {})

    with pytest.raises(RegistryError, match="log/1") as caught:
        getattr(store, act)("log/1", **options)

    assert "s3:" in caught.value.hint


def _record() -> Record:
    action = Action(type="yank", adapter="acme/ink", actor="ann")
    return Record(
        seq=1, prev=sha256_bytes(b"f"), id="a", time="2026-01-01T00:00:00Z", actions=(action,)
    )


@pytest.mark.parametrize(
    ("date", "word"),
    [("Mon, 01 Jan 2001 00:00:00 GMT", "clock"), ("", "s3:GetObject"), ("x", "s3:GetObject")],
)
def test_wrong_clock_is_known_without_a_body(date: str, word: str) -> None:
    """A refused HEAD says 403 and nothing more; its date tells whose clock is off."""
    answer: Any = {
        "Error": {"Code": "403", "Message": "Forbidden"},
        "ResponseMetadata": {"HTTPStatusCode": 403, "HTTPHeaders": {"date": date}},
    }

    _told, hint = explain(ClientError(answer, "HeadObject"))

    assert word in hint
