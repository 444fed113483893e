# SPDX-License-Identifier: Apache-2.0
"""Detached jobs of several owners, of a killed server, with webhooks and buckets: whole servers."""

import asyncio
from pathlib import Path
from typing import Any

import grpc

from tabard.v1 import job_service_pb2 as pb
from tabard.v1.generation_service_pb2 import Detach
from tabard_registry.identity.identity import ANYBODY
from tabard_registry.identity.roles import Role
from tabard_server.detached.folder import JobFolder
from tabard_server.detached.record import JobState, Owner
from tabard_server.webhooks.settings import JobPlace, JobsSettings
from tests.server.detached.records import record
from tests.server.harness import Request, refusal_of, serving, until
from tests.server.rpc.door.known_callers import OTHER, OWN, ROOT, as_bearer, asking, token_for
from tests.server.rpc.jobs.detaching import FAILED, detach, ended, job_of
from tests.server.webhooks.listening import SECRET, answer, listening

ALICES_METHODS = (
    ("GetJob", pb.GetJobRequest),
    ("CancelJob", pb.CancelJobRequest),
    ("RetryJob", pb.RetryJobRequest),
    ("GetJobImage", pb.GetJobImageRequest),
    ("WatchJob", pb.WatchJobRequest),
)


def test_job_is_its_owners_alone(tmp_path: Path) -> None:
    """To another identity there is no such job, by no method; nor once a role is gone."""

    async def walk() -> None:
        async with asking(tmp_path) as server:
            alice = as_bearer(token_for(server, "alice", **{OWN: (Role.GENERATE,)}))
            bob = as_bearer(token_for(server, "bob", **{OWN: (Role.GENERATE,)}))
            job = (await detach(server, "acme/ink", metadata=alice, request_id="mine")).job_id
            await until(lambda: server.app.generation.jobs_left == 0)

            for name, request in ALICES_METHODS:
                call = getattr(server.jobs, name)(request(job_id=job), metadata=bob)
                refusal = await refusal_of(call)
                assert (refusal.code, refusal.reason) == (grpc.StatusCode.NOT_FOUND, "JOB_UNKNOWN")
            assert not (await server.jobs.ListJobs(pb.ListJobsRequest(), metadata=bob)).jobs
            assert (await job_of(server, job, metadata=alice)).job_id == job
            other = await detach(server, "acme/ink", metadata=bob, request_id="mine")
            assert other.job_id != job
            home = server.app.registry
            home.revoke_token("alice", author=ROOT)
            poorer = as_bearer(token_for(server, "alice", **{OTHER: (Role.GENERATE,)}))
            call = server.jobs.GetJob(pb.GetJobRequest(job_id=job), metadata=poorer)
            assert (await refusal_of(call)).reason == "ROLE_MISSING"

    asyncio.run(walk())


def test_job_of_a_killed_server_has_failed(tmp_path: Path) -> None:
    """Nothing of it was written at its end; its owner is told to run it again."""
    folder = JobFolder(tmp_path / "jobs")
    folder.open()
    request = Request(prompt="x", num_inference_steps=2).SerializeToString()
    said: dict[str, Any] = {"digests": (), "namespaces": (), "pins": (), "accepted": b""}
    for number, state in enumerate((JobState.WAITING, JobState.RUNNING)):
        one = record(f"{number}" * 16, state=state, owner=Owner.of(ANYBODY), **said)
        folder.begin(one, request=request)
    folder.close()

    async def walk() -> None:
        jobs = JobsSettings(folder=str(tmp_path / "jobs"))
        async with serving(tmp_path, jobs=jobs) as server:
            for number in range(2):
                job = await job_of(server, f"{number}" * 16)
                assert (job.state, job.failure.reason) == (FAILED, "SERVER_STOPPED")
            await server.jobs.RetryJob(pb.RetryJobRequest(job_id="0" * 16))
            drawn = await ended(server, "0" * 16, after=job.event_id)
            assert [one.seed for one in drawn.images] == [7]

    asyncio.run(walk())


def test_webhook_is_told_once_the_job_is_over(tmp_path: Path) -> None:
    """Signed, with links; what became of it is told with the job."""

    async def walk() -> None:
        async with listening() as listener, serving(tmp_path, jobs=hooked(tmp_path)) as server:
            listener.answers = lambda number: answer(200 if number else 500)
            job = (await detach(server, detach=Detach(webhook_url=listener.url()))).job_id
            await ended(server, job)
            await until(lambda: len(listener.heard) == 2)
            while (known := (await job_of(server, job)).webhook).state == "waiting":
                await asyncio.sleep(0.002)

            assert [heard.is_signed for heard in listener.heard] == [True, True]
            assert listener.heard[0].told["data"]["id"] == job
            assert (known.state, known.attempts) == ("delivered", 2)

    asyncio.run(walk())


def test_webhook_that_waits_outlives_the_server(tmp_path: Path) -> None:
    """The next server tells it, and goes on counting."""

    async def walk() -> None:
        async with listening() as listener:
            listener.answers = lambda number: answer(200 if number else 500)
            slow = hooked(tmp_path, webhook_retry_seconds=3_000.0)
            async with serving(tmp_path, jobs=slow) as server:
                job = (await detach(server, detach=Detach(webhook_url=listener.url()))).job_id
                await ended(server, job)
                while not (await job_of(server, job)).webhook.attempts:
                    await asyncio.sleep(0.002)
            async with serving(tmp_path, jobs=hooked(tmp_path)) as server:
                await until(lambda: len(listener.heard) == 2)
                while (known := (await job_of(server, job)).webhook).state == "waiting":
                    await asyncio.sleep(0.002)

            assert (known.state, known.attempts) == ("delivered", 2)

    asyncio.run(walk())


def test_webhook_to_a_private_address_is_refused(tmp_path: Path) -> None:
    """At once, by the field, and nothing is drawn."""

    async def walk() -> None:
        jobs = JobsSettings.model_validate({"webhook_secret": SECRET}, strict=False)
        async with serving(tmp_path, jobs=jobs) as server:
            wanted = Detach(webhook_url="https://169.254.169.254/latest")
            refusal = await refusal_of(
                server.generation.Generate(Request(prompt="x", detach=wanted))
            )
            assert (refusal.reason, refusal.fields) == ("WEBHOOK_REFUSED", ("detach.webhook_url",))
            assert len(server.app._jobs) == 0

    asyncio.run(walk())


def test_images_go_to_the_bucket_of_a_namespace(tmp_path: Path) -> None:
    """Whoever may not generate there may not write there."""
    bucket = tmp_path / "bucket"
    jobs = JobsSettings(places=(JobPlace(namespace=OWN, url=bucket.as_uri()),))

    async def walk() -> None:
        async with asking(tmp_path, jobs=jobs) as server:
            alice = as_bearer(token_for(server, "alice", **{OWN: (Role.GENERATE,)}))
            bob = as_bearer(token_for(server, "bob", **{OTHER: (Role.GENERATE,)}))
            wanted = Detach(namespace=OWN)
            job = (await detach(server, metadata=alice, detach=wanted)).job_id
            while not (await job_of(server, job, metadata=alice)).images:
                await asyncio.sleep(0.002)
            request = pb.GetJobImageRequest(job_id=job)
            image = (await server.jobs.GetJobImage(request, metadata=alice)).image
            refusals = [
                await refusal_of(
                    server.generation.Generate(Request(prompt="x", detach=asked), metadata=whom)
                )
                for whom, asked in ((bob, wanted), (alice, Detach(namespace=OTHER)))
            ]

            assert (bucket / job / "0").read_bytes() == image.content
            assert [one.reason for one in refusals] == ["ROLE_MISSING", "JOB_PLACE_UNKNOWN"]

    asyncio.run(walk())


def test_withdrawal_that_nobody_saw_is_made_up_for(tmp_path: Path) -> None:
    """A release that was quarantined while the server was away takes its images along."""
    jobs = JobsSettings(folder=str(tmp_path / "jobs"))

    async def before() -> str:
        async with serving(tmp_path, jobs=jobs) as server:
            await server.publish("acme/ink")
            await server.promote("acme/ink@1.0.0")
            job = (await detach(server, "acme/ink")).job_id
            await ended(server, job)
            return str(job)

    async def meanwhile() -> None:
        async with serving(tmp_path) as server:
            await server.quarantine("acme/ink@1.0.0")

    async def after(job: str) -> None:
        async with serving(tmp_path, jobs=jobs) as server:
            while (await job_of(server, job)).images:
                await asyncio.sleep(0.002)
            assert (await job_of(server, job)).failure.reason == "RELEASE_QUARANTINED"

    job = asyncio.run(before())
    asyncio.run(meanwhile())
    asyncio.run(after(job))


def hooked(folder: Path, **said: Any) -> JobsSettings:
    """Give settings by which a webhook may reach this machine."""
    usual = {
        "folder": str(folder / "jobs"),
        "webhook_secret": SECRET,
        "webhook_http": True,
        "webhook_networks": ("127.0.0.0/8",),
        "webhook_retry_seconds": 0.01,
    }
    return JobsSettings.model_validate(usual | said, strict=False)
