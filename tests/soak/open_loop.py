# SPDX-License-Identifier: Apache-2.0
"""An open loop: requests come at a rate of their own, whatever became of those before.

In: a server, requests a second. Out: what became of each. Over a few connections, in one asyncio
loop: what is asked for does not wait for what is answered.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import grpc

from tabard import TabardError
from tabard.rpc_errors import tabard_error
from tabard.v1 import generation_service_pb2 as pb
from tabard.v1.generation_service_pb2_grpc import GenerationServiceStub

CONNECTIONS = 16
_TICK_SECONDS = 0.01


@dataclass(slots=True, kw_only=True)
class Arrivals:
    """What became of them.

    Attributes:
        sent: How many there were.
        drawn: Images.
        reasons: Of refusals.
        untold: Refusals without a time to come back.
    """

    sent: int = 0
    drawn: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    untold: int = 0


def arrive(
    address: str,
    request: pb.GenerateRequest,
    *,
    rate: float,
    seconds: float,
    metadata: tuple[tuple[str, str], ...] = (),
) -> Arrivals:
    """Send `rate` requests a second for so long, then wait for what was taken."""
    return asyncio.run(_arrive(address, request, rate=rate, seconds=seconds, metadata=metadata))


async def _arrive(
    address: str,
    request: pb.GenerateRequest,
    *,
    rate: float,
    seconds: float,
    metadata: tuple[tuple[str, str], ...],
) -> Arrivals:
    found = Arrivals()
    options = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_http_proxy", 0)]

    async def ask(stub: GenerationServiceStub) -> None:
        try:
            async for _event in stub.Generate(request, timeout=300.0, metadata=metadata):
                pass
        except grpc.aio.AioRpcError as failure:
            error: TabardError = tabard_error(failure, address=address)
            found.reasons[error.reason] += 1
            found.untold += error.retry_after_seconds is None
        else:
            found.drawn += 1

    async with AsyncExitStack() as stack:
        channels = [grpc.aio.insecure_channel(address, options=options) for _ in range(CONNECTIONS)]
        stubs = [
            GenerationServiceStub(await stack.enter_async_context(channel)) for channel in channels
        ]
        calls: list[asyncio.Task[None]] = []
        loop = asyncio.get_running_loop()
        begun_at = loop.time()
        while (passed := loop.time() - begun_at) < seconds:
            while found.sent < passed * rate:
                calls.append(asyncio.ensure_future(ask(stubs[found.sent % CONNECTIONS])))
                found.sent += 1
            await asyncio.sleep(_TICK_SECONDS)
        await asyncio.gather(*calls)
    return found
