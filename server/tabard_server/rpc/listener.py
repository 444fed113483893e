# SPDX-License-Identifier: Apache-2.0
"""One gRPC server on one address: a door before the same services as everywhere.

In: a door, what answers, an address. Out: a server that takes calls there. Its connections are
counted by themselves, so whoever fills one address leaves the others free.
"""

from collections.abc import Sequence

import grpc
from grpc_health.v1 import health, health_pb2_grpc

from tabard_server.access.certificate_files import CertificateFiles
from tabard_server.limits import Limits
from tabard_server.rpc.door.door import Door
from tabard_server.rpc.health import Health
from tabard_server.rpc.ports import take
from tabard_server.rpc.reflection import serve_reflection

_PING_SECONDS = 60
_PING_ANSWER_SECONDS = 20
_HANDSHAKE_SECONDS = 20
_PINGS_TOO_MANY = 2


class Listener:
    """A gRPC server, not yet listening. Asyncio thread."""

    def __init__(
        self,
        door: Door,
        *,
        services: grpc.GenericRpcHandler,
        names: Sequence[str],
        health_servicer: Health,
        limits: Limits,
        files: CertificateFiles | None,
        connections_max: int,
    ) -> None:
        """Take the door of all calls, and what answers them.

        `names` are those of the services; without `files` nothing is encrypted.
        """
        self._files = files
        self._door = door
        self._is_started = False
        self._server = grpc.aio.server(
            interceptors=(door,), options=_options(limits, connections_max=connections_max)
        )
        health_pb2_grpc.add_HealthServicer_to_server(health_servicer, self._server)
        self._server.add_generic_rpc_handlers((services,))
        serve_reflection(self._server, services=(*names, health.SERVICE_NAME))

    async def start(self, listen: str, *, is_private: bool = False) -> str:
        """Listen, and return the address with the port that was really taken.

        Raises:
            BadSettings: The address cannot be had.
        """
        address = take(self._server, listen, is_private=is_private, files=self._files)
        self._is_started = True
        await self._server.start()
        return address

    async def stop(self, *, grace_seconds: float) -> None:
        """Refuse new calls, let running ones end, then cut them off. Idempotent."""
        if self._is_started:
            await self._server.stop(grace_seconds)
        self._door.close()


def _options(limits: Limits, *, connections_max: int) -> tuple[tuple[str, int], ...]:
    """Bound what gRPC itself holds: messages, connections, and streams of one connection.

    It bounds the connections of an address, and has no bound on those of one caller.
    """
    return (
        ("grpc.max_receive_message_length", limits.message_bytes_max),
        ("grpc.max_send_message_length", limits.message_bytes_max),
        ("grpc.so_reuseport", 0),
        ("grpc.max_allowed_incoming_connections", connections_max),
        ("grpc.max_connection_idle_ms", int(limits.connection_idle_seconds_max * 1000)),
        ("grpc.server_handshake_timeout_ms", _HANDSHAKE_SECONDS * 1000),
        # Above what the gate lets in, so that what is too much is refused by it, in words.
        ("grpc.max_concurrent_streams", 2 * limits.calls_max),
        ("grpc.keepalive_time_ms", _PING_SECONDS * 1000),
        ("grpc.keepalive_timeout_ms", _PING_ANSWER_SECONDS * 1000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_ping_strikes", _PINGS_TOO_MANY),
    )
