# SPDX-License-Identifier: Apache-2.0
"""A server on the fake engine as a process, and what it says and leaves in its folder."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from tabard.v1 import generation_service_pb2_grpc
from tests.root import ROOT
from tests.server.harness import Request
from tests.waiting.processes import await_end, await_process, log_in_failure


@dataclass(frozen=True, kw_only=True)
class Process:
    """A server process."""

    process: "subprocess.Popen[bytes]"
    folder: Path

    @property
    def address(self) -> str:
        """Where it listens, once it is ready."""
        return str(json.loads(self.awaited("ready.json").read_text())["address"])

    @property
    def log(self) -> str:
        """What it said so far."""
        return (self.folder / "log").read_text()

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def end(self) -> int:
        """Wait for its end; return its exit code."""
        return await_end(self.process, log=self.folder / "log")

    def awaited(self, name: str) -> Path:
        """Wait for a file of its folder to appear."""
        path = self.folder / name
        self.until(path.exists, what=f"{name} does not appear")
        return path

    def until_said(self, words: str) -> None:
        """Wait until its log says something."""
        self.until(lambda: words in self.log, what=f"{words!r} is not said")

    def until(self, is_so: Callable[[], bool], *, what: str) -> None:
        """Wait until something is so; `what` says what is wrong if it never is."""
        await_process(self.process, is_so, log=self.folder / "log", what=what)


@contextmanager
def running(folder: Path, **words: Any) -> Iterator[Process]:
    """Run a server; it is gone after the block."""
    (folder / "temporary").mkdir(exist_ok=True, parents=True)
    told = {"folder": str(folder), **words}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.server.life.server_program", json.dumps(told)],
            cwd=ROOT,
            env=os.environ | {"TMPDIR": str(folder / "temporary")},
            stdout=log,
            stderr=log,
        )
    try:
        with log_in_failure(folder / "log"):
            yield Process(process=process, folder=folder)
    finally:
        process.kill()
        process.wait()


@contextmanager
def job_of(server: Process, **fields: Any) -> Iterator[Any]:
    """Give the stream of a job that was admitted."""
    with grpc.insecure_channel(server.address) as channel:
        stub: Any = generation_service_pb2_grpc.GenerationServiceStub(channel)
        events = stub.Generate(Request(prompt="x", num_inference_steps=100, **fields))
        assert next(events).HasField("accepted")
        yield events
