# SPDX-License-Identifier: Apache-2.0
"""JobService: detached jobs of whoever calls. Converts; `detached` does everything."""

from contextlib import aclosing

from tabard.v1 import job_service_pb2 as pb
from tabard.v1 import job_service_pb2_grpc
from tabard_server.detached.detached import Detached
from tabard_server.detached.held import Held
from tabard_server.errors import JobUnknown
from tabard_server.followers.others import Others
from tabard_server.rpc.generation.messages import write_image
from tabard_server.rpc.jobs.messages import write_job, write_told
from tabard_server.rpc.pages import Pages
from tabard_server.rpc.status import Context


class JobServicer(job_service_pb2_grpc.JobServiceServicer):
    """Serves `tabard.v1.JobService`. Asyncio thread."""

    def __init__(self, jobs: Detached, *, others: Others, pages: Pages) -> None:
        """Take the jobs of a server, who keeps other jobs, and how answers are cut into pages."""
        self._jobs = jobs
        self._others = others
        self._pages = pages

    async def GetJob(self, request: pb.GetJobRequest, context: Context) -> pb.GetJobResponse:
        """Tell how a job stands."""
        held = await self._get(request.job_id, context)
        return pb.GetJobResponse(job=self._write(held))

    async def WatchJob(self, request: pb.WatchJobRequest, context: Context) -> None:
        """Stream what becomes of a job."""
        held = await self._get(request.job_id, context)
        events = self._jobs.watch(
            request.job_id, after=request.after_event_id, identity=context.identity
        )
        async with aclosing(events):
            async for told in events:
                await context.write(write_told(told, kept_until=self._jobs.kept_until(held)))

    async def ListJobs(self, request: pb.ListJobsRequest, context: Context) -> pb.ListJobsResponse:
        """List the caller's jobs."""
        start = self._pages.start_of(request, str)
        jobs = await self._jobs.list(context.identity)
        if start:
            known = [held.record.id for held in jobs]
            jobs = jobs[known.index(start[0]) + 1 if start[0] in known else len(known) :]
        size = self._pages.size_of(request)
        written = (((held.record.id,), self._write(held)) for held in jobs[:size])
        found, following = self._pages.fill(request, written, is_more=len(jobs) > size)
        places = await self._others.places()
        return pb.ListJobsResponse(
            jobs=found, next_page_token=following, server=places.own, other_servers=places.others
        )

    async def CancelJob(
        self, request: pb.CancelJobRequest, context: Context
    ) -> pb.CancelJobResponse:
        """End a job."""
        await self._get(request.job_id, context)
        held = await self._jobs.cancel(
            request.job_id, identity=context.identity, forgets=request.forget
        )
        return pb.CancelJobResponse(job=self._write(held))

    async def RetryJob(self, request: pb.RetryJobRequest, context: Context) -> pb.RetryJobResponse:
        """Run a job again."""
        await self._get(request.job_id, context)
        await self._jobs.retry(request.job_id, identity=context.identity, caller=context.caller)
        held = await self._jobs.get(request.job_id, identity=context.identity)
        return pb.RetryJobResponse(job=self._write(held))

    async def GetJobImage(
        self, request: pb.GetJobImageRequest, context: Context
    ) -> pb.GetJobImageResponse:
        """Give an image."""
        await self._get(request.job_id, context)
        image = await self._jobs.image(
            request.job_id, index=request.index, identity=context.identity
        )
        return pb.GetJobImageResponse(image=write_image(image))

    async def _get(self, job: str, context: Context) -> Held:
        """Return a job of who calls; refuse one that another server keeps."""
        try:
            return await self._jobs.get(job, identity=context.identity)
        except JobUnknown:
            await self._others.refuse(job)
            raise

    def _write(self, held: Held) -> pb.Job:
        return write_job(
            held.record,
            held=held,
            kept_until=self._jobs.kept_until(held),
            queue_place=self._jobs.rows_before(held),
        )
