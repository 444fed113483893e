# SPDX-License-Identifier: Apache-2.0
"""Records streamed to clients as they happen. In: a position. Out: a message a record."""

from contextlib import aclosing
from typing import Any

import grpc

from tabard.v1 import registry_service_pb2 as pb
from tabard_server.publishing.watches import Watches
from tabard_server.rpc.registry.messages import write_record

Context = grpc.aio.ServicerContext[Any, Any]


async def send_records(watches: Watches, request: pb.WatchRequest, *, context: Context) -> None:
    """Stream records until the caller leaves; raises what `Watches.records` raises."""
    async with aclosing(watches.records(from_seq=request.from_seq)) as records:
        async for applied in records:
            await context.write(pb.WatchResponse(record=write_record(applied)))
