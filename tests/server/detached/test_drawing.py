# SPDX-License-Identifier: Apache-2.0
"""A job that is drawn while what keeps it fails: refused at the door, or failed with a reason."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tabard.v1 import job_service_pb2 as pb
from tabard.v1.generation_service_pb2 import Detach
from tabard_server.detached.folder import JobFolder
from tabard_server.detached.results import Results
from tabard_server.errors import JobNotKept
from tests.server.fakes import FakeEngine
from tests.server.harness import Request, refusal_of, serving, small_limits, until
from tests.server.rpc.jobs.detaching import FAILED, detach, ended, job_of


def _full(*_args: Any, **_kwargs: Any) -> None:
    raise JobNotKept("the disk is full")


def test_job_that_cannot_be_kept_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is given an id that stands for nothing, and nothing is drawn for it."""
    engine = FakeEngine()
    engine.hold_steps()
    # Nobody waits for what a caller who has gone might come back for.
    limits = small_limits(request_grace_seconds=3_600.0)

    async def walk() -> None:
        async with serving(tmp_path, engine=engine, limits=limits) as server:
            request = Request(prompt="x", request_id="mine", detach=Detach())
            with monkeypatch.context() as patched:
                patched.setattr(JobFolder, "begin", _full)
                refusal = await refusal_of(server.generation.Generate(request))
            listed = (await server.jobs.ListJobs(pb.ListJobsRequest())).jobs
            assert (refusal.reason, len(listed)) == ("JOB_NOT_KEPT", 0)
            await until(lambda: not server.app.generation.jobs_left)
            engine.let_go()
            again = await detach(server, request_id="mine")
            assert len((await ended(server, again.job_id)).images) == 1

    asyncio.run(walk())


def test_image_that_cannot_be_kept_ends_the_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the reason, and its rows are free; it can be run again."""
    broken = True

    def put(self: Results, record: Any, **said: Any) -> None:
        if broken:
            _full()
        kept(self, record, **said)

    kept = Results.put
    monkeypatch.setattr(Results, "put", put)

    async def walk() -> None:
        nonlocal broken
        async with serving(tmp_path) as server:
            job = (await detach(server, num_images=2)).job_id
            over = await ended(server, job)
            await until(lambda: server.app.generation.jobs_left == 0)
            broken = False
            await server.jobs.RetryJob(pb.RetryJobRequest(job_id=job))
            again = await ended(server, job, after=over.event_id)

            assert (over.state, over.failure.reason) == (FAILED, "JOB_NOT_KEPT")
            assert len(again.images) == 2
            assert (await job_of(server, job)).run == 2

    asyncio.run(walk())
