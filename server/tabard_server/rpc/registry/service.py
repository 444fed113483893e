# SPDX-License-Identifier: Apache-2.0
"""RegistryService: releases and channels over gRPC.

One method an RPC; what it does is in the rooms beside this one: acts, questions,
fetching, watching.
"""

from collections.abc import AsyncIterator
from typing import Any

import grpc

from tabard.v1 import registry_service_pb2 as pb
from tabard.v1 import registry_service_pb2_grpc
from tabard_registry import Registry
from tabard_server.followers.follower import Follower
from tabard_server.limits import Limits
from tabard_server.publishing import Publishing, Standing
from tabard_server.rpc.registry.downloads import Fetching
from tabard_server.rpc.registry.reads import Questions
from tabard_server.rpc.registry.watch import Watching
from tabard_server.rpc.registry.writes import Acts
from tabard_server.rpc.status import Guard
from tabard_server.threads import Threads

Context = grpc.aio.ServicerContext[Any, Any]


class RegistryServicer(registry_service_pb2_grpc.RegistryServiceServicer):
    """Serves `tabard.v1.RegistryService`."""

    def __init__(
        self,
        registry: Registry,
        *,
        publishing: Publishing,
        follower: Follower,
        threads: Threads,
        limits: Limits,
        guard: Guard,
    ) -> None:
        """Take what can be asked and done; `threads` are where reads wait for the store."""
        self._acts = Acts(registry, publishing=publishing, limits=limits)
        self._questions = Questions(registry, threads=threads, limits=limits)
        self._watching = Watching(registry, follower=follower, threads=threads, limits=limits)
        self._fetching = Fetching(registry, limits=limits)
        self._guard = guard

    async def Publish(
        self, request_iterator: AsyncIterator[pb.PublishRequest], context: Context
    ) -> pb.PublishResponse:
        """Receive, check, publish."""
        return await self._guard.call(context, self._acts.publish(request_iterator))

    async def Check(
        self, request_iterator: AsyncIterator[pb.CheckRequest], context: Context
    ) -> pb.CheckResponse:
        """Receive and check."""
        return await self._guard.call(context, self._acts.check(request_iterator))

    async def PublishRecipe(
        self, request: pb.PublishRecipeRequest, context: Context
    ) -> pb.PublishRecipeResponse:
        """Publish a combination of releases."""
        return await self._guard.call(context, self._acts.publish_recipe(request))

    async def Promote(self, request: pb.PromoteRequest, context: Context) -> pb.PromoteResponse:
        """Move a channel to a release that this server has loaded."""
        return await self._guard.call(context, self._acts.promote(request))

    async def Rollback(self, request: pb.RollbackRequest, context: Context) -> pb.RollbackResponse:
        """Return a channel to an earlier release."""
        return await self._guard.call(context, self._acts.roll_back(request))

    async def Sign(self, request: pb.SignRequest, context: Context) -> pb.SignResponse:
        """Put a signature beside a release."""
        return await self._guard.call(context, self._acts.sign(request))

    async def Yank(self, request: pb.YankRequest, context: Context) -> pb.YankResponse:
        """Take a release out of resolution by channel and range."""
        act = self._acts.set_standing(request, standing=Standing.YANKED)
        return pb.YankResponse(release=await self._guard.call(context, act))

    async def Unyank(self, request: pb.UnyankRequest, context: Context) -> pb.UnyankResponse:
        """Undo a yank."""
        act = self._acts.set_standing(request, standing=Standing.NOT_YANKED)
        return pb.UnyankResponse(release=await self._guard.call(context, act))

    async def Quarantine(
        self, request: pb.QuarantineRequest, context: Context
    ) -> pb.QuarantineResponse:
        """Serve nobody with a release until that is lifted."""
        act = self._acts.set_standing(request, standing=Standing.QUARANTINED)
        return pb.QuarantineResponse(release=await self._guard.call(context, act))

    async def Lift(self, request: pb.LiftRequest, context: Context) -> pb.LiftResponse:
        """Undo a quarantine."""
        act = self._acts.set_standing(request, standing=Standing.NOT_QUARANTINED)
        return pb.LiftResponse(release=await self._guard.call(context, act))

    async def Purge(self, request: pb.PurgeRequest, context: Context) -> pb.PurgeResponse:
        """Delete the bytes of a release for good."""
        act = self._acts.set_standing(request, standing=Standing.PURGED)
        return pb.PurgeResponse(release=await self._guard.call(context, act))

    async def GetAdapter(
        self, request: pb.GetAdapterRequest, context: Context
    ) -> pb.GetAdapterResponse:
        """Return one adapter."""
        return await self._guard.call(context, self._questions.get_adapter(request))

    async def ListAdapters(
        self, request: pb.ListAdaptersRequest, context: Context
    ) -> pb.ListAdaptersResponse:
        """Return a page of adapters."""
        return await self._guard.call(context, self._questions.list_adapters(request))

    async def Resolve(self, request: pb.ResolveRequest, context: Context) -> pb.ResolveResponse:
        """Say what a ref means now."""
        return await self._guard.call(context, self._questions.resolve(request))

    async def GetManifest(
        self, request: pb.GetManifestRequest, context: Context
    ) -> pb.GetManifestResponse:
        """Return what a signer vouches for."""
        return await self._guard.call(context, self._questions.get_manifest(request))

    async def Search(self, request: pb.SearchRequest, context: Context) -> pb.SearchResponse:
        """Find release lines by words."""
        return await self._guard.call(context, self._questions.search(request))

    async def Fetch(self, request: pb.FetchRequest, context: Context) -> None:
        """Stream the files of a release."""
        await self._guard.call(context, self._fetching.fetch(request, context))

    async def ServedAt(self, request: pb.ServedAtRequest, context: Context) -> pb.ServedAtResponse:
        """Say what channels pointed to at some time."""
        return await self._guard.call(context, self._questions.served_at(request))

    async def History(self, request: pb.HistoryRequest, context: Context) -> pb.HistoryResponse:
        """Return the newest acts, oldest first."""
        return await self._guard.call(context, self._questions.history(request))

    async def Watch(self, request: pb.WatchRequest, context: Context) -> None:
        """Stream records as they happen."""
        await self._guard.call(context, self._watching.watch(request, context))
