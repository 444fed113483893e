# SPDX-License-Identifier: Apache-2.0
"""What judges a soak is itself judged: faults must be seen, on figures and bytes of our own."""

import contextlib
import os
import socket
import threading
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.soak.faulty_proxy import FaultyProxy
from tests.soak.open_loop import Arrivals
from tests.soak.overload import Outcome, Pace, Seen
from tests.soak.overload import faults as overload_faults
from tests.soak.players import Notes
from tests.soak.process_figures import Sample, Watch, look_at
from tests.soak.stage import Show
from tests.soak.verdict import Latency, faults, figures

MEBIBYTE = 1 << 20
BODY = b"x" * 20_000


class Figures(Watch):
    """A watch of what is given, instead of a process."""

    def __init__(self, *, rss: list[int], descriptors: list[int]) -> None:
        self.samples = [
            Sample(rss_bytes=mib * MEBIBYTE, descriptors=held, threads=9)
            for mib, held in zip(rss, descriptors, strict=True)
        ]


def show(**changes: object) -> Show:
    """A soak in which all went well, but for what is said."""
    notes = {"light": Notes(seconds=[0.1] * 99 + [0.4]), "cancelling": Notes()}
    said = {
        "seconds": 60.0,
        "notes": notes,
        "quiet": [0.05],
        "watch": Figures(rss=[90, *[100] * 8], descriptors=[20] * 9),
        "is_alive": True,
        "exit_status": 0,
    }
    return Show(**{**said, **changes})  # type: ignore[arg-type]


def told(**changes: object) -> str:
    return "; ".join(faults(show(**changes), p99_seconds_max=1.0))


def test_good_soak_has_no_fault() -> None:
    """And its figures are told, refusals among them."""
    lines = list(figures(show()))

    assert told() == ""
    assert any("light " in line and "p99 0.400 s" in line for line in lines)
    assert "memory 100.0 to 100.0 MiB (+0.00%)" in lines[-1]


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"notes": {"light": Notes(seconds=[0.1], wrong=["off by 9"])}}, "1 wrong images"),
        ({"notes": {"light": Notes()}}, "no light caller"),
        ({"notes": {"light": Notes(seconds=[0.1] * 9 + [2.0])}}, "p99 is 2.0 s"),
        ({"notes": {"light": Notes(seconds=[0.1], reasons=Counter({"": 2}))}}, "2 failures"),
        ({"is_alive": False}, "the server died"),
        ({"exit_status": 1}, "ended with 1"),
        ({"exit_status": None}, "ended with None"),
        (
            {"watch": Figures(rss=[*[100] * 6, *[103] * 3], descriptors=[20] * 9)},
            "memory grew by 3.0%",
        ),
        (
            {"watch": Figures(rss=[100] * 9, descriptors=[*[20] * 6, *[40] * 3])},
            "descriptors grew from 20 to 40",
        ),
    ],
)
def test_every_fault_is_seen(changes: dict[str, object], fault: str) -> None:
    """Each of them alone."""
    assert fault in told(**changes)


def test_process_is_looked_at() -> None:
    """Our own has memory, a descriptor and a thread."""
    sample = look_at(os.getpid())

    assert sample.rss_bytes > MEBIBYTE
    assert sample.descriptors > 0 < sample.threads


@pytest.fixture
def proxy() -> Iterator[FaultyProxy]:
    """A proxy before a server that answers whatever is asked with the same bytes."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with client:
                client.recv(1)
                client.sendall(BODY)

    threading.Thread(target=serve, daemon=True).start()
    host, port = listener.getsockname()
    made = FaultyProxy(f"http://{host}:{port}")
    yield made
    made.close()
    listener.close()


def ask(proxy: FaultyProxy, *, seconds_max: float = 30.0) -> bytes:
    host, port = proxy.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=seconds_max) as client:
        client.sendall(b"?")
        found = b""
        with contextlib.suppress(ConnectionResetError):
            while chunk := client.recv(1 << 16):
                found += chunk
        return found


def test_proxy_fails_as_it_is_told(proxy: FaultyProxy) -> None:
    """It passes all, some, or nothing; and what it holds back comes when it may."""
    assert ask(proxy) == BODY
    proxy.mode = "cut"
    assert 0 < len(ask(proxy)) < len(BODY)
    proxy.mode = "refuse"
    assert ask(proxy) == b""
    proxy.mode = "stall"
    with pytest.raises(TimeoutError):
        ask(proxy, seconds_max=0.3)
    proxy.mode = "pass"
    assert ask(proxy) == BODY


def paces(*images: float) -> list[Pace]:
    """So many images a second, one round after the other."""
    return [Pace(images=rate, cpu_ms=40.0) for rate in images]


def outcome(**changes: object) -> Outcome:
    """An overload in which all went well, but for what is said."""
    crowded = {
        "studio": Seen(seconds=[1.0] * 200, reasons=Counter({"QUEUE_FULL": 10}), kept=10),
        "agency": Seen(seconds=[1.0] * 100),
        "light": Seen(seconds=[0.3] * 50),
    }
    said = {
        "full": paces(11.0, 9.0, 11.0, 7.0),
        "rounds": paces(10.0, 9.6, 4.5),
        "beside": Latency.of([0.2] * 50),
        "crowded": crowded,
        "rss": 1.0,
        "opened": Arrivals(reasons=Counter({"QUEUE_FULL": 99})),
        "opened_rss": 1.0,
    }
    return Outcome(**{**said, **changes})  # type: ignore[arg-type]


def crowded(tenant: str, seen: Seen) -> dict[str, object]:
    return {"crowded": outcome().crowded | {tenant: seen}}


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({}, ""),
        ({"rounds": paces(10.0, 9.0, 4.5)}, "goodput is 90%"),
        ({"beside": Latency.of([0.1])}, "light p99 is 0.30 s"),
        ({"rss": 1.2}, "memory grew by 20.0%"),
        (crowded("agency", Seen(seconds=[1.0] * 50)), "agency has 60% of its share"),
        (crowded("light", Seen(seconds=[0.3], broken=9)), "10 of 19 who came back"),
        (crowded("light", Seen(seconds=[0.3], untold=1)), "1 refusals without a time"),
        ({"opened": Arrivals(reasons=Counter({"INTERNAL": 1}))}, "refused as"),
        ({"opened": Arrivals(untold=1)}, "1 refusals without a time"),
        ({"opened_rss": 1.2}, "memory grew by 20.0%"),
    ],
)
def test_every_fault_of_an_overload_is_seen(changes: dict[str, object], fault: str) -> None:
    """Each of them alone; and none where all is well."""
    found = "; ".join(overload_faults(outcome(**changes)))

    assert fault in found
    assert bool(found) is bool(fault)
