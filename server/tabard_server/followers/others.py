# SPDX-License-Identifier: Apache-2.0
"""The other servers of the registry, as far as a caller needs one of them: for a job that it keeps.

In: what each says of itself in the store. Out: a refusal that names the server of a job, in the
words by which a proxy finds it. Calls none of them. Asyncio thread.
"""

import asyncio
import base64
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from tabard_registry.content.replicas import SeenReplica
from tabard_server.errors import JobElsewhere
from tabard_server.life.server_id import keeper_of
from tabard_server.threads import Threads

_KNOWN_SECONDS = 2.0
"""How long what the store said counts: whoever asks for many jobs asks the store now and then."""
_RETRY_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Servers as the metadata `tabard-server` names them.

    Attributes:
        own: This one; empty: it does not say where it is reached (`advertise`).
        others: Those that were heard of lately, and say where they are reached.
    """

    own: str
    others: Sequence[str]


class Others:
    """Knows the other servers."""

    def __init__(
        self,
        own_id: str,
        *,
        seen: Callable[[], tuple[SeenReplica, ...]],
        own_address: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take who this server is, and what reads the others in the store, which may block."""
        self._own_id = own_id
        self._own_address = own_address
        self._seen = seen
        self._clock = clock
        self._threads = Threads("others", threads_max=1)
        self._asking = asyncio.Lock()
        self._known: tuple[SeenReplica, ...] = ()
        self._until = float("-inf")

    def close(self) -> None:
        """Ask the store no more. Idempotent."""
        self._threads.close()

    async def refuse(self, job: str) -> None:
        """Refuse a job that another server of the registry keeps; return where it may be nobody's.

        Raises:
            JobElsewhere: Another server keeps it, if anybody does.
            StoreUnavailable: Nobody can say now whether one does.
        """
        keeper = keeper_of(job)
        if not keeper or self._own_id.startswith(keeper):
            return
        for one in await self._ask():
            if one.replica.id.startswith(keeper):
                raise await self._elsewhere(one)

    async def places(self) -> Places:
        """Say where every server is found.

        Raises:
            StoreUnavailable: The store did not answer.
        """
        if not self._own_address:
            return Places(own="", others=())
        addresses = [
            one.replica.address
            for one in await self._ask()
            if one.replica.id != self._own_id and not one.is_lost
        ]
        own, *others = await self._threads.run(_named, (self._own_address, *addresses))
        return Places(own=own, others=tuple(filter(None, others)))

    async def _elsewhere(self, one: SeenReplica) -> JobElsewhere:
        said = one.replica
        (server,) = await self._threads.run(_named, (said.address,))
        heard = f"was last heard of {one.age_seconds:.0f} s ago" if one.is_lost else "is there"
        hint = "ask it through the same address, by the metadata tabard-server; the SDK does"
        if not server:
            hint = "set advertise on each server, so that it can be found through one address"
        return JobElsewhere(
            f"the job is kept by another server, {said.id[:8]}, which {heard}",
            hint=hint,
            # Whoever cannot name it cannot help anybody who comes back.
            retry_seconds=_RETRY_SECONDS if server else None,
            server=server,
            base=said.base_fingerprint,
        )

    async def _ask(self) -> tuple[SeenReplica, ...]:
        async with self._asking:
            if self._clock() >= self._until:
                self._known = await self._threads.run(self._seen)
                self._until = self._clock() + _KNOWN_SECONDS
            return self._known


def name_of(address: str) -> str:
    """Give the name of a server for a proxy: base64 of `IP:port`, as Envoy knows its addresses.

    Empty: it cannot be said, for the address is none, or its name is not known here.
    """
    host, _, port = address.rpartition(":")
    try:
        found = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)
    except (OSError, ValueError):
        return ""
    ip = str(found[0][4][0])
    return base64.b64encode((f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}").encode()).decode()


def _named(addresses: Sequence[str]) -> Iterator[str]:
    return iter([name_of(address) for address in addresses])
