# SPDX-License-Identifier: Apache-2.0
"""Detached jobs over real gRPC: to begin one, and to wait for what becomes of it."""

from typing import Any

from tabard.v1 import job_service_pb2 as pb
from tabard.v1.generation_service_pb2 import Detach
from tests.server.harness import Request, Server, refs

SUCCEEDED, FAILED = pb.JOB_STATE_SUCCEEDED, pb.JOB_STATE_FAILED
CANCELLED = pb.JOB_STATE_CANCELLED


async def detach(server: Server, *adapters: str, metadata: Any = None, **fields: Any) -> Any:
    """Begin a detached job over a connection that is then of no use; give what it was told."""
    fields = {"prompt": "x", "num_inference_steps": 3, "seed": 7} | fields
    fields.setdefault("detach", Detach())
    request = Request(adapters=refs(*adapters), **fields)
    events = [one async for one in server.generation.Generate(request, metadata=metadata)]
    assert [one.WhichOneof("event") for one in events] == ["accepted"]
    return events[0].accepted


async def job_of(server: Server, job: str, metadata: Any = None) -> Any:
    """Give a job as it stands."""
    return (await server.jobs.GetJob(pb.GetJobRequest(job_id=job), metadata=metadata)).job


async def ended(server: Server, job: str, *, after: int = 0) -> Any:
    """Wait for the end of a job, and give it."""
    return (await events_of(server, job, after=after))[-1].ended


async def events_of(server: Server, job: str, *, after: int = 0) -> list[Any]:
    """Give the events of a job until its end."""
    request = pb.WatchJobRequest(job_id=job, after_event_id=after)
    return [one async for one in server.jobs.WatchJob(request)]


async def image_of(server: Server, job: str, index: int = 0) -> Any:
    """Give an image of a job."""
    request = pb.GetJobImageRequest(job_id=job, index=index)
    return (await server.jobs.GetJobImage(request)).image
