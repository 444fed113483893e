# SPDX-License-Identifier: Apache-2.0
"""RegistryService: releases and channels over gRPC.

One method an RPC; how messages become values and back is in the rooms beside this one.
"""

from collections.abc import AsyncIterator
from typing import Any

import grpc

from tabard.v1 import registry_service_pb2 as pb
from tabard.v1 import registry_service_pb2_grpc
from tabard_server.publishing.downloads import Downloads
from tabard_server.publishing.publishing import Publishing, Standing
from tabard_server.publishing.questions import Questions
from tabard_server.publishing.uploads import Uploads
from tabard_server.publishing.watches import Watches
from tabard_server.rpc.registry.downloads import send_files
from tabard_server.rpc.registry.reads import Reads
from tabard_server.rpc.registry.watch import send_records
from tabard_server.rpc.registry.writes import Writes
from tabard_server.rpc.status import Guard

Context = grpc.aio.ServicerContext[Any, Any]


class RegistryServicer(registry_service_pb2_grpc.RegistryServiceServicer):
    """Serves `tabard.v1.RegistryService`."""

    def __init__(
        self,
        *,
        publishing: Publishing,
        questions: Questions,
        uploads: Uploads,
        downloads: Downloads,
        watches: Watches,
        guard: Guard,
    ) -> None:
        """Take what can be asked and done; other doors may share it."""
        self._writes = Writes(publishing, uploads=uploads)
        self._reads = Reads(questions)
        self._downloads = downloads
        self._watches = watches
        self._guard = guard

    async def Publish(
        self, request_iterator: AsyncIterator[pb.PublishRequest], context: Context
    ) -> pb.PublishResponse:
        """Receive, check, publish."""
        return await self._guard.call(context, self._writes.publish(request_iterator))

    async def Check(
        self, request_iterator: AsyncIterator[pb.CheckRequest], context: Context
    ) -> pb.CheckResponse:
        """Receive and check."""
        return await self._guard.call(context, self._writes.check(request_iterator))

    async def PublishRecipe(
        self, request: pb.PublishRecipeRequest, context: Context
    ) -> pb.PublishRecipeResponse:
        """Publish a combination of releases."""
        return await self._guard.call(context, self._writes.publish_recipe(request))

    async def Promote(self, request: pb.PromoteRequest, context: Context) -> pb.PromoteResponse:
        """Move a channel to a release that this server has loaded."""
        return await self._guard.call(context, self._writes.promote(request))

    async def Rollback(self, request: pb.RollbackRequest, context: Context) -> pb.RollbackResponse:
        """Return a channel to an earlier release."""
        return await self._guard.call(context, self._writes.roll_back(request))

    async def Sign(self, request: pb.SignRequest, context: Context) -> pb.SignResponse:
        """Put a signature beside a release."""
        return await self._guard.call(context, self._writes.sign(request))

    async def Yank(self, request: pb.YankRequest, context: Context) -> pb.YankResponse:
        """Take a release out of resolution by channel and range."""
        act = self._writes.set_standing(request, standing=Standing.YANKED)
        return pb.YankResponse(release=await self._guard.call(context, act))

    async def Unyank(self, request: pb.UnyankRequest, context: Context) -> pb.UnyankResponse:
        """Undo a yank."""
        act = self._writes.set_standing(request, standing=Standing.NOT_YANKED)
        return pb.UnyankResponse(release=await self._guard.call(context, act))

    async def Quarantine(
        self, request: pb.QuarantineRequest, context: Context
    ) -> pb.QuarantineResponse:
        """Serve nobody with a release until that is lifted."""
        act = self._writes.set_standing(request, standing=Standing.QUARANTINED)
        return pb.QuarantineResponse(release=await self._guard.call(context, act))

    async def Lift(self, request: pb.LiftRequest, context: Context) -> pb.LiftResponse:
        """Undo a quarantine."""
        act = self._writes.set_standing(request, standing=Standing.NOT_QUARANTINED)
        return pb.LiftResponse(release=await self._guard.call(context, act))

    async def Purge(self, request: pb.PurgeRequest, context: Context) -> pb.PurgeResponse:
        """Delete the bytes of a release for good."""
        act = self._writes.set_standing(request, standing=Standing.PURGED)
        return pb.PurgeResponse(release=await self._guard.call(context, act))

    async def GetAdapter(
        self, request: pb.GetAdapterRequest, context: Context
    ) -> pb.GetAdapterResponse:
        """Return one adapter."""
        return await self._guard.call(context, self._reads.get_adapter(request))

    async def ListAdapters(
        self, request: pb.ListAdaptersRequest, context: Context
    ) -> pb.ListAdaptersResponse:
        """Return a page of adapters."""
        return await self._guard.call(context, self._reads.list_adapters(request))

    async def Resolve(self, request: pb.ResolveRequest, context: Context) -> pb.ResolveResponse:
        """Say what a ref means now."""
        return await self._guard.call(context, self._reads.resolve(request))

    async def GetManifest(
        self, request: pb.GetManifestRequest, context: Context
    ) -> pb.GetManifestResponse:
        """Return what a signer vouches for."""
        return await self._guard.call(context, self._reads.get_manifest(request))

    async def Search(self, request: pb.SearchRequest, context: Context) -> pb.SearchResponse:
        """Find release lines by words."""
        return await self._guard.call(context, self._reads.search(request))

    async def Fetch(self, request: pb.FetchRequest, context: Context) -> None:
        """Stream the files of a release."""
        await self._guard.call(context, send_files(self._downloads, request, context=context))

    async def ServedAt(self, request: pb.ServedAtRequest, context: Context) -> pb.ServedAtResponse:
        """Say what channels pointed to at some time."""
        return await self._guard.call(context, self._reads.served_at(request))

    async def History(self, request: pb.HistoryRequest, context: Context) -> pb.HistoryResponse:
        """Return the newest acts, oldest first."""
        return await self._guard.call(context, self._reads.history(request))

    async def Watch(self, request: pb.WatchRequest, context: Context) -> None:
        """Stream records as they happen."""
        await self._guard.call(context, send_records(self._watches, request, context=context))
