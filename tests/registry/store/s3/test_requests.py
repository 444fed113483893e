# SPDX-License-Identifier: Apache-2.0
"""One rule for what passes: every operation, every passing fault, and those that do not pass."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tabard_registry.errors import StoreUnavailable
from tabard_registry.store.s3 import S3Store
from tests.registry.store.s3.misbehaving_server import LIMITS, PATH, Fault, ScriptedS3

PASSING: dict[str, dict[str, object]] = {
    "400 RequestTimeout": {"status": 400, "code": "RequestTimeout"},
    "408": {"status": 408},
    "409 OperationAborted": {"status": 409, "code": "OperationAborted"},
    "429": {"status": 429, "code": "TooManyRequests"},
    "500 InternalError": {"status": 500, "code": "InternalError"},
    "502": {"status": 502},
    "503 SlowDown": {"status": 503, "code": "SlowDown"},
    "504": {"status": 504},
    "599": {"status": 599},
    "reset": {"status": 0},
    "silence": {"status": -1},
}
FINAL: dict[str, dict[str, object]] = {
    "403 AccessDenied": {"status": 403, "code": "AccessDenied"},
    "400 ExpiredToken": {"status": 400, "code": "ExpiredToken"},
    "501 NotImplemented": {"status": 501, "code": "NotImplemented"},
    "405 MethodNotAllowed": {"status": 405, "code": "MethodNotAllowed"},
}
OPERATIONS: dict[str, tuple[str, Callable[[S3Store], object]]] = {
    "read": ("GET", lambda store: store.read("log/1", bytes_max=9)),
    "read many": ("GET", lambda store: store.read_many(["log/1"], bytes_max=9)),
    "stream": ("GET", lambda store: list(store.stream("log/1"))),
    "list": ("GET", lambda store: list(store.objects("log/"))),
    "top level": ("GET", lambda store: store.top_level()),
    "size": ("HEAD", lambda store: store.size_bytes("log/1")),
    "put": ("PUT", lambda store: store.put("blob/2", chunks=[b"x"])),
    "replace": ("PUT", lambda store: store.replace("log/1", body=b"y")),
    "delete": ("DELETE", lambda store: store.delete("log/1")),
    "clock": ("GET", lambda store: store.probe().now()),
}


def lined_up(fault: dict[str, object], *, method: str, times: int) -> list[Fault]:
    """Return that fault for so many requests of an operation."""
    return [Fault(method=method, **fault)] * times  # type: ignore[arg-type]


def pairs(faults: dict[str, dict[str, object]]) -> list[tuple[str, str]]:
    """Return each operation with each fault; the answer to a HEAD carries no code."""
    return [
        (operation, fault)
        for operation, (method, _act) in OPERATIONS.items()
        for fault, told in faults.items()
        if method != "HEAD" or told["status"] not in (400, 501)
    ]


@pytest.mark.parametrize(("operation", "fault"), pairs(PASSING))
def test_what_passes_is_asked_again(
    store: S3Store, server: ScriptedS3, operation: str, fault: str
) -> None:
    """Whatever is asked, it is asked again, and its answer is the one without the fault."""
    method, act = OPERATIONS[operation]
    server.held[PATH] = b"y"
    expected = act(store)
    asked = server.asked.count(method) + sum(one.startswith("GET b") for one in server.asked)
    server.held = {PATH: b"y"}
    server.asked.clear()
    server.faults.extend(lined_up(PASSING[fault], method=method, times=2))
    if operation == "put":  # which looks first
        server.faults.appendleft(Fault(method="HEAD", status=404))

    found = act(store)

    assert operation == "clock" or found == expected
    assert not server.faults
    # On a busy machine a read that is late has a second one beside it, so there may be more.
    assert sum(one.startswith(method) for one in server.asked) >= asked + 2


@pytest.mark.parametrize(("operation", "fault"), pairs(FINAL))
def test_what_does_not_pass_is_told_at_once(
    store: S3Store, server: ScriptedS3, operation: str, fault: str
) -> None:
    """A refusal is the same a moment later: nobody waits for it."""
    method, act = OPERATIONS[operation]
    server.held[PATH] = b"y"
    # On a busy machine a read that is late has a second one beside it.
    asked_max = 2 if method == "GET" else 1
    server.faults.extend(lined_up(FINAL[fault], method=method, times=asked_max))
    if operation == "put":
        server.faults.appendleft(Fault(method="HEAD", status=404))

    with pytest.raises(StoreUnavailable):
        act(store)

    assert 1 <= sum(one.startswith(method) for one in server.asked) <= asked_max


@pytest.mark.parametrize("operation", OPERATIONS)
def test_tries_are_bounded(store: S3Store, server: ScriptedS3, operation: str) -> None:
    """A store that is out of order is said to be so, after so many tries."""
    method, act = OPERATIONS[operation]
    server.held[PATH] = b"y"
    server.faults.extend(lined_up(PASSING["500 InternalError"], method=method, times=20))
    if operation == "put":
        server.faults.appendleft(Fault(method="HEAD", status=404))

    with pytest.raises(StoreUnavailable) as caught:
        act(store)

    assert "try again" in caught.value.hint
    assert sum(one.startswith(method) for one in server.asked) == LIMITS.attempts_max


def test_pauses_grow_to_a_bound(server: ScriptedS3) -> None:
    """With jitter: each is drawn between nothing and twice the one before, a second at most."""
    pauses: list[float] = []
    limits = replace(LIMITS, attempts_max=9)
    store = S3Store("s3://bucket/team", limits=limits, sleep=pauses.append)
    server.faults.extend(lined_up(PASSING["502"], method="GET", times=9))

    with pytest.raises(StoreUnavailable):
        store.read("log/1", bytes_max=9)

    assert len(pauses) == 8
    bounds = [min(0.1 * 2**number, 1.0) for number in range(8)]
    assert all(0 <= pause <= bound for pause, bound in zip(pauses, bounds, strict=True))
    assert len(set(pauses)) == 8


@pytest.mark.parametrize("read", ["read", "stream"])
def test_late_answer_is_asked_for_beside(server: ScriptedS3, read: str) -> None:
    """A request that is never answered holds nobody up for as long as a slow store may take."""
    limits = replace(LIMITS, late_seconds=0.1, read_timeout_seconds=60.0)
    store = S3Store("s3://bucket/team", limits=limits)
    server.held[PATH] = b"y"
    server.faults.extend(lined_up(PASSING["silence"], method="GET", times=2))

    assert OPERATIONS[read][1](store) in (b"y", [b"y"])
    assert len(server.asked) == 3
    server.closing.set()


def test_requests_beside_each_other_are_bounded(server: ScriptedS3) -> None:
    """A silent store is asked by so many requests at once, and then anew when they gave up."""
    limits = replace(
        LIMITS, late_seconds=0.02, beside_max=3, read_timeout_seconds=1.0, attempts_max=2
    )
    store = S3Store("s3://bucket/team", limits=limits, sleep=lambda seconds: None)
    server.faults.extend(lined_up(PASSING["silence"], method="GET", times=20))

    with pytest.raises(StoreUnavailable):
        store.read("log/1", bytes_max=9)

    assert len(server.asked) == limits.attempts_max * limits.beside_max
    server.closing.set()


def test_create_is_sent_once(store: S3Store, server: ScriptedS3) -> None:
    """What passes elsewhere leaves a create open: its slot is read, and it is never repeated."""
    for fault in PASSING.values():
        server.asked.clear()
        server.faults.extend(lined_up(fault, method="PUT", times=1))
        assert store.create("log/1", body=b"x").value == "unknown"
        assert server.asked == ["PUT"]
