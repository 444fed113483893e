# SPDX-License-Identifier: Apache-2.0
"""Servers, gateways and callers that die in the middle of a job, each a process of its own."""

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.clients.fakes.real_server import real_server
from tests.e2e.conftest import RunningServer, run_server
from tests.e2e.jobs.browser import Caller, Event
from tests.e2e.web.conftest import run_gateway, run_gateway_process
from tests.server.fakes import FakeEngine
from tests.web.running import PATIENCE_SECONDS, free_address

LONG = {
    "num_images": 5,
    "num_inference_steps": 100,
    "width": 64,
    "height": 64,
    "deterministic": True,
}
"""Rows of it run alone, so that its images are done one after another."""


@contextmanager
def jobs_server(folder: Path, *, base: Path, listen: str) -> Iterator[RunningServer]:
    """Run a server that keeps its jobs in a folder, wherever it listens."""
    with run_server(
        folder, base=base, is_forked=True, listen=listen, jobs_folder=folder / "jobs"
    ) as server:
        yield server


@contextmanager
def calling(url: str) -> Iterator[Caller]:
    caller = Caller(url)
    try:
        yield caller
    finally:
        caller.close()


@pytest.mark.faults
def test_killed_server_says_so_and_draws_again(tmp_path: Path, tiny_base: Path) -> None:
    """What was finished is there; the rest ends by a reason, and comes again to the byte."""
    listen = free_address()
    with run_gateway(listen) as url, calling(url) as caller:
        with jobs_server(tmp_path, base=tiny_base, listen=listen) as server:
            earlier = caller.ended(caller.begin(num_images=2, deterministic=True)["url"])
            job = caller.begin(**LONG)

            def kill(event: Event) -> None:
                if event.name == "image":
                    server.process.kill()

            seen = caller.watch(job["url"], on_event=kill)
            server.process.wait()
        with jobs_server(tmp_path, base=tiny_base, listen=listen):
            cut = caller.ended(job["url"])
            first = caller.digests(cut)
            rest = caller.watch(job["url"], last=seen[-1].id)
            kept = caller.digests(caller.ended(earlier["url"]))
            again = caller.post(f"{job['url']}/retry")
            whole = caller.ended(job["url"])
            images = caller.digests(whole)
            undisturbed = caller.digests(caller.ended(caller.begin(**LONG)["url"]))

    assert [event.told["state"] for event in rest if event.name == "ended"] == ["failed"]
    assert (cut["state"], cut["error"]["reason"]) == ("failed", "SERVER_STOPPED")
    assert cut["error"]["retry_after_seconds"] and cut["error"]["hint"]
    assert 1 <= len(first) < LONG["num_images"]
    assert kept == [one["digest"] for one in earlier["images"]]
    assert (again.status_code, again.json()["id"]) == (202, job["id"])
    assert (whole["state"], whole["seeds"]) == ("succeeded", job["seeds"])
    assert images == undisturbed
    assert images[: len(first)] == first


@pytest.mark.faults
def test_killed_gateway_loses_nothing(tmp_path: Path, tiny_base: Path) -> None:
    """Its callers go on at the next one, behind the last event that they had."""
    listen = free_address()
    with jobs_server(tmp_path, base=tiny_base, listen="127.0.0.1:0") as server:
        with run_gateway_process(server.address, listen=listen) as (url, process):
            with calling(url) as caller:
                done = caller.ended(caller.begin(num_images=2)["url"])
                job = caller.begin(**LONG)

                def kill(event: Event) -> None:
                    if event.name == "image":
                        process.kill()

                seen = caller.watch(job["url"], on_event=kill)
            process.wait()
        with (
            run_gateway_process(server.address, listen=listen) as (url, _process),
            calling(url) as caller,
        ):
            rest = caller.watch(job["url"], last=seen[-1].id)
            more = caller.watch(job["url"], last=rest[-1].id)
            kept = caller.digests(caller.get(done["url"]))
            images = caller.digests(caller.get(job["url"]))

    told = [event.told["index"] for event in (*seen, *rest) if event.name == "image"]
    # What was on its way when the gateway died still came.
    assert "image" in {event.name for event in seen}
    assert "ended" not in {event.name for event in seen}
    assert "accepted" not in {event.name for event in rest}
    assert sorted(told) == list(range(LONG["num_images"]))
    assert (rest[-1].name, rest[-1].told["state"], more) == ("ended", "succeeded", [])
    assert all(event.id > seen[-1].id for event in rest)
    assert kept == [one["digest"] for one in done["images"]]
    assert images == [one["digest"] for one in rest[-1].told["images"]]


@pytest.mark.parametrize("is_answered", [True, False])
def test_caller_that_is_cut_off_has_its_picture(gateway: str, *, is_answered: bool) -> None:
    """Whether or not it had heard of the job: it finds it by its id."""
    request_id = f"cut-{is_answered}"
    place = urlsplit(gateway)
    body = f'{{"prompt":"a red circle","seed":7,"request_id":"{request_id}"}}'
    head = f"POST /v1/jobs HTTP/1.1\r\nHost: {place.netloc}\r\nContent-Length: {len(body)}\r\n"
    with socket.create_connection((place.hostname, place.port)) as cut:
        # It is reset, not closed: nobody says goodbye when a cable is pulled.
        cut.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        cut.sendall(f"{head}Content-Type: application/json\r\n\r\n{body}".encode())
        if is_answered:
            assert b" 202 " in cut.recv(64)
    with calling(gateway) as caller:
        job = caller.begin(request_id=request_id)
        told = caller.ended(job["url"])
        listed = [one for one in caller.get("/v1/jobs")["data"] if one["request_id"] == request_id]
        images = caller.digests(told)

    assert (told["state"], len(images)) == ("succeeded", 1)
    assert [one["id"] for one in listed] == [job["id"]]
    assert told["run"] == 1


def test_gateway_that_stops_lets_go_of_streams(tmp_path: Path) -> None:
    """It does not wait for the end of jobs: whoever watches one comes back."""
    engine = FakeEngine()
    engine.hold_steps()
    patient = ("--set", "stop_seconds_max=100000")
    with (
        real_server(tmp_path / "server", engine=engine) as server,
        run_gateway_process(server.address, *patient) as (url, process),
        calling(url) as caller,
    ):
        job = caller.begin()
        seen = caller.watch(job["url"], on_event=lambda _event: process.terminate())
        code = process.wait(timeout=PATIENCE_SECONDS)
        engine.let_go()

    assert (code, [event.name for event in seen]) == (0, ["accepted"])
