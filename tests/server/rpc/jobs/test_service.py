# SPDX-License-Identifier: Apache-2.0
"""Detached jobs over real gRPC: they outlive connections and servers, and belong to one owner."""

import asyncio
from pathlib import Path

import grpc

from tabard.v1 import job_service_pb2 as pb
from tabard.v1.generation_service_pb2 import Detach
from tabard_server.webhooks.settings import JobsSettings
from tests.server.fakes import FakeEngine
from tests.server.harness import Request, refs, refusal_of, serving, small_limits, until
from tests.server.rpc.jobs.detaching import (
    CANCELLED,
    FAILED,
    SUCCEEDED,
    detach,
    ended,
    events_of,
    image_of,
    job_of,
)


def test_picture_outlives_its_connection(tmp_path: Path) -> None:
    """The call ends at once; the images are there later, equal to those of a call that waits."""

    async def walk() -> None:
        async with serving(tmp_path) as server:
            await server.publish("acme/ink")
            await server.promote("acme/ink@1.0.0")
            accepted = await detach(server, "acme/ink", num_images=2, deterministic=True)
            job = await ended(server, accepted.job_id)
            waited = await server.generate(
                "x", adapters=["acme/ink"], seed=7, num_images=2, deterministic=True
            )

            assert job.state == SUCCEEDED
            assert [one.seed for one in job.images] == [7, 8]
            assert job.accepted.worn[0].digest.startswith("sha256:")
            assert job.kept_until.seconds > job.ended_at.seconds
            for image in waited.images:
                kept = await image_of(server, accepted.job_id, image.index)
                assert kept.content == image.content
                assert accepted.job_id in kept.provenance_json

    asyncio.run(walk())


def test_events_go_on_behind_one_that_is_known(tmp_path: Path) -> None:
    """Ids rise; who comes back with one has what is new, and nothing twice."""
    engine = FakeEngine()
    engine.hold_steps()

    async def walk() -> None:
        async with serving(tmp_path, engine=engine) as server:
            accepted = await detach(server, num_inference_steps=3, preview_every=1)
            job = accepted.job_id
            engine.allow(1)
            request = pb.WatchJobRequest(job_id=job)
            seen = []
            watch = server.jobs.WatchJob(request)
            async for event in watch:
                seen.append(event)
                if event.WhichOneof("event") == "progress":
                    break
            watch.cancel()
            engine.let_go()
            rest = await events_of(server, job, after=seen[-1].event_id)
            ids = [one.event_id for one in (*seen, *rest)]
            again = await events_of(server, job)

            assert seen[0].accepted.job_id == job
            assert ids == sorted(set(ids))
            assert [one.WhichOneof("event") for one in rest][-2:] == ["image", "ended"]
            assert [one.WhichOneof("event") for one in again] == ["accepted", "image", "ended"]
            assert await events_of(server, job, after=rest[-1].event_id) == []

    asyncio.run(walk())


def test_restart_keeps_what_is_done_and_ends_what_is_not(tmp_path: Path) -> None:
    """The finished job has its image still; the other has failed, and is drawn again, the same."""
    engine = FakeEngine()
    jobs = JobsSettings(folder=str(tmp_path / "jobs"))

    async def before() -> tuple[str, bytes, str]:
        async with serving(tmp_path, engine=engine, jobs=jobs, drain_seconds_max=0.1) as server:
            await server.publish("acme/ink")
            await server.promote("acme/ink@1.0.0")
            done = (await detach(server, "acme/ink", seed=3)).job_id
            await ended(server, done)
            png = (await image_of(server, done)).content
            engine.hold_steps()
            drawn = (await detach(server, "acme/ink@stable", request_id="mine", seed=None)).job_id
            await until(lambda: server.app.loop.running_count == 1)
            return done, png, drawn

    async def after(done: str, png: bytes, drawn: str) -> None:
        async with serving(tmp_path, jobs=jobs) as server:
            await server.publish("acme/ink", "2.0.0")
            await server.promote("acme/ink@2.0.0")
            lost = await job_of(server, drawn)
            kept = await image_of(server, done)
            retried = await server.jobs.RetryJob(pb.RetryJobRequest(job_id=drawn))
            again = await ended(server, drawn, after=lost.event_id)

            assert kept.content == png
            assert (lost.state, lost.failure.reason) == (FAILED, "SERVER_STOPPED")
            assert lost.failure.HasField("retry_delay")
            assert retried.job.job_id == drawn
            assert again.state == SUCCEEDED
            assert again.accepted.seeds == lost.accepted.seeds
            assert again.accepted.worn[0].version == "1.0.0"

    found = asyncio.run(before())
    asyncio.run(after(*found))


def test_same_request_id_is_the_same_job(tmp_path: Path) -> None:
    """Detached twice, or asked for with a connection: one job, drawn once; anything else: no."""
    engine = FakeEngine()

    async def walk() -> None:
        async with serving(tmp_path, engine=engine) as server:
            first = await detach(server, request_id="mine")
            second = await detach(server, request_id="mine")
            told = await server.generate("x", seed=7, request_id="mine")
            other = await refusal_of(
                server.generation.Generate(Request(prompt="y", request_id="mine", detach=Detach()))
            )

            assert second.job_id == first.job_id == told.accepted.job_id
            assert told.kinds[-2:] == ["image", "done"]
            assert len(engine.batches) == 3
            assert other.reason == "REQUEST_ID_REUSED"

    asyncio.run(walk())


def test_job_that_is_read_becomes_detached(tmp_path: Path) -> None:
    """A call that waits gives its job to a detached one of the same id; it is not drawn twice."""
    engine = FakeEngine()
    engine.hold_steps()

    async def walk() -> None:
        async with serving(tmp_path, engine=engine) as server:
            request = Request(prompt="x", seed=7, num_inference_steps=3, request_id="mine")
            reading = server.generation.Generate(request)
            first = (await anext(aiter(reading))).accepted
            detached = await detach(server, request_id="mine")
            refusal = await refusal_of(reading)
            engine.let_go()
            job = await ended(server, detached.job_id)

            assert detached.job_id == first.job_id
            assert refusal.reason == "READ_ELSEWHERE"
            assert job.state == SUCCEEDED
            assert len(engine.batches) == 3

    asyncio.run(walk())


def test_cancelled_job_frees_its_rows(tmp_path: Path) -> None:
    """It ends at once, cancelling it again changes nothing, and it can be run again."""
    engine = FakeEngine()
    engine.hold_steps()

    async def walk() -> None:
        async with serving(tmp_path, engine=engine) as server:
            job = (await detach(server)).job_id
            cancel = pb.CancelJobRequest(job_id=job)
            ended_job = (await server.jobs.CancelJob(cancel)).job
            again = (await server.jobs.CancelJob(cancel)).job
            engine.let_go()
            await until(lambda: server.app.loop.running_count == 0)
            await server.jobs.RetryJob(pb.RetryJobRequest(job_id=job))
            drawn = await ended(server, job, after=again.event_id)
            await server.jobs.CancelJob(pb.CancelJobRequest(job_id=job, forget=True))
            gone = await refusal_of(server.jobs.GetJob(pb.GetJobRequest(job_id=job)))

            assert ended_job.state == CANCELLED
            assert ended_job.failure.reason == "JOB_CANCELLED"
            assert again.event_id == ended_job.event_id
            assert (drawn.state, drawn.run) == (SUCCEEDED, 2)
            assert (gone.code, gone.reason) == (grpc.StatusCode.NOT_FOUND, "JOB_UNKNOWN")

    asyncio.run(walk())


def test_many_jobs_of_one_caller_are_bounded(tmp_path: Path) -> None:
    """The seats of the queue bound what waits, and say when to come back; few are kept."""
    engine = FakeEngine()
    engine.hold_steps()
    jobs = JobsSettings(folder=str(tmp_path / "jobs"), kept_max=3)

    async def walk() -> None:
        limits = small_limits(queue_rows_max=4, running_rows_max=1)
        async with serving(tmp_path, engine=engine, limits=limits, jobs=jobs) as server:
            accepted = []
            refusal = None
            for number in range(100):
                try:
                    accepted.append((await detach(server, seed=number)).job_id)
                except grpc.aio.AioRpcError:
                    request = Request(prompt="x", detach=Detach())
                    refusal = await refusal_of(server.generation.Generate(request))
                    break
            places = [(await job_of(server, job)).queue_place for job in accepted]
            engine.let_go()
            await until(lambda: server.app.generation.jobs_left == 0)
            await ended(server, accepted[-1])
            listed = (await server.jobs.ListJobs(pb.ListJobsRequest())).jobs

            assert 4 <= len(accepted) <= 6
            assert refusal is not None
            assert refusal.reason == "QUEUE_FULL" and refusal.retry_seconds
            assert places == sorted(places) and places[-1] >= 3
            assert len(listed) == 3

    asyncio.run(walk())


def test_withdrawn_release_takes_its_images_along(tmp_path: Path) -> None:
    """After a quarantine nobody has the picture, and the job says why."""

    async def walk() -> None:
        async with serving(tmp_path) as server:
            await server.publish("acme/ink")
            await server.promote("acme/ink@1.0.0")
            job = (await detach(server, "acme/ink")).job_id
            done = await ended(server, job)
            await server.quarantine("acme/ink@1.0.0")
            watched = await events_of(server, job, after=done.event_id)
            while not watched:
                watched = await events_of(server, job, after=done.event_id)
            refusal = await refusal_of(server.jobs.GetJobImage(pb.GetJobImageRequest(job_id=job)))

            assert watched[-1].ended.failure.reason == "RELEASE_QUARANTINED"
            assert refusal.reason == "JOB_IMAGE_UNKNOWN"

    asyncio.run(walk())


def test_list_comes_in_pages(tmp_path: Path) -> None:
    """The newest first, each once."""

    async def walk() -> None:
        async with serving(tmp_path) as server:
            jobs = [(await detach(server, seed=number)).job_id for number in range(3)]
            first = await server.jobs.ListJobs(pb.ListJobsRequest(page_size=2))
            second = await server.jobs.ListJobs(
                pb.ListJobsRequest(page_size=2, page_token=first.next_page_token)
            )

            listed = [one.job_id for one in (*first.jobs, *second.jobs)]
            assert sorted(listed) == sorted(jobs)
            assert listed[-1] == jobs[0]
            assert not second.next_page_token

    asyncio.run(walk())


def test_refused_job_is_none(tmp_path: Path) -> None:
    """What cannot be drawn is refused at the door, as of a call that waits; nothing is kept."""

    async def walk() -> None:
        async with serving(tmp_path) as server:
            request = Request(prompt="x", adapters=refs("acme/none"), detach=Detach())
            refusal = await refusal_of(server.generation.Generate(request))
            listed = await server.jobs.ListJobs(pb.ListJobsRequest())

            assert refusal.reason == "ADAPTER_NOT_FOUND"
            assert not listed.jobs

    asyncio.run(walk())
