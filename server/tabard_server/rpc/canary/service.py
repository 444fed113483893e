# SPDX-License-Identifier: Apache-2.0
"""CanaryService: start, look, list, stop and complain, one method an RPC.

In: messages whose caller may send them, as the door has asked. Out: messages, of one snapshot.
"""

from tabard.v1 import canary_service_pb2 as pb
from tabard.v1 import canary_service_pb2_grpc
from tabard_registry import AdapterName, AdapterRef
from tabard_server.canary.canaries import Canaries
from tabard_server.errors import ImageUnknown
from tabard_server.followers.others import Others
from tabard_server.publishing.author import author_of
from tabard_server.publishing.questions import Questions
from tabard_server.rpc.canary.messages import (
    read_image_key,
    read_label,
    write_canary,
    write_reported,
)
from tabard_server.rpc.status import Context


class CanaryServicer(canary_service_pb2_grpc.CanaryServiceServicer):
    """Serves `tabard.v1.CanaryService`. Asyncio thread."""

    def __init__(self, canaries: Canaries, *, others: Others, questions: Questions) -> None:
        """Take what can be asked, which other doors may share, and who keeps other jobs."""
        self._canaries = canaries
        self._others = others
        self._questions = questions

    async def StartCanary(
        self, request: pb.StartCanaryRequest, context: Context
    ) -> pb.StartCanaryResponse:
        """Try a release beside what its channel serves."""
        standing = await self._canaries.start(
            AdapterRef.parse(request.ref),
            channel=request.channel,
            share=request.share if request.HasField("share") else None,
            is_shadow=request.shadow,
            override=request.override,
            author=author_of(
                request.actor,
                reason=request.reason,
                request_id=request.request_id,
                identity=context.identity,
            ),
        )
        return pb.StartCanaryResponse(canary=write_canary(standing))

    async def GetCanary(
        self, request: pb.GetCanaryRequest, context: Context
    ) -> pb.GetCanaryResponse:
        """Tell how a canary stands."""
        standing = await self._questions.aside(
            self._canaries.get, AdapterRef.parse(request.ref), grants=context.identity.grants
        )
        return pb.GetCanaryResponse(canary=write_canary(standing))

    async def ListCanaries(
        self, request: pb.ListCanariesRequest, context: Context
    ) -> pb.ListCanariesResponse:
        """Tell of all canaries of a line, or of the open ones of all."""
        adapter = AdapterName.parse(request.adapter) if request.adapter else None
        found = await self._questions.aside(
            self._canaries.list, adapter, grants=context.identity.grants
        )
        return pb.ListCanariesResponse(canaries=map(write_canary, found))

    async def StopCanary(
        self, request: pb.StopCanaryRequest, context: Context
    ) -> pb.StopCanaryResponse:
        """End a canary."""
        standing = await self._canaries.stop(
            AdapterRef.parse(request.ref),
            author=author_of(
                request.actor,
                reason=request.reason,
                request_id=request.request_id,
                identity=context.identity,
            ),
        )
        return pb.StopCanaryResponse(canary=write_canary(standing))

    async def ReportImage(
        self, request: pb.ReportImageRequest, context: Context
    ) -> pb.ReportImageResponse:
        """Take a complaint about a picture."""
        key, label = read_image_key(request), read_label(request.label)
        try:
            reported = await self._canaries.report(
                key, label=label, identity=context.identity, caller=context.caller
            )
        except ImageUnknown:
            await self._others.refuse(request.job_id)
            raise
        return write_reported(reported)
