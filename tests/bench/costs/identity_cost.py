# SPDX-License-Identifier: Apache-2.0
"""What it costs a small request that its caller is known: nobody asked, a token, a JWT, in turns.

The smallest call (a ref is resolved, from memory), a small image on a server without a model, and
one on the demo base, from a server that asks and one that does not.
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import Any

from tabard import Client
from tabard.cli.demo import folder as names
from tabard.cli.demo.server_process import TABARD_SERVE, running_server
from tabard.v1 import registry_service_pb2
from tabard_registry import Registry
from tabard_registry.identity.roles import EVERYTHING
from tabard_server.access.settings import IdentitySettings
from tests.server.harness import Request, Server, refs
from tests.server.identity.issuer import AUDIENCE, Issuer, issuing
from tests.server.rpc.door.known_callers import OWN, ROOT, as_bearer, asking

REF = f"{OWN}/ink@1.0.0"
CALLS = {"resolve": 200, "image": 40}
DEMO_CALLS = 12
"""Calls of each kind in one round; who is asked what takes turns call by call."""

Metadata = list[tuple[str, str]]


def run(*, rounds: int) -> dict[str, dict[str, list[float]]]:
    """Return seconds of every call, by kind of call and by how callers are known."""
    with tempfile.TemporaryDirectory() as folder, issuing() as issuer:
        measured = asyncio.run(_measure(Path(folder), issuer=issuer, rounds=rounds))
    return measured | {"image on the demo base": _measure_drawn(rounds=rounds)}


def report(measured: dict[str, dict[str, list[float]]]) -> None:
    """Print the medians, and what being known adds."""
    print("\n| call | nobody asked | a token | a JWT |\n|---|---|---|---|")
    for kind, by_way in measured.items():
        base = statistics.median(by_way["nobody"])
        cells = []
        for way in [way for way in ("token", "jwt") if way in by_way]:
            # Of each pair the difference, so that what slows one slows both.
            pairs = zip(by_way[way], by_way["nobody"], strict=True)
            added = statistics.median(known - unknown for known, unknown in pairs)
            cells.append(f"{added * 1e6:+.0f} us ({added / base:+.1%})")
        print(f"| {kind} | {base * 1e3:.2f} ms | {' | '.join(cells)} |")


def _measure_drawn(*, rounds: int) -> dict[str, list[float]]:
    """Draw a small image, one caller at a time, on a server that asks and on one that does not."""
    measured: dict[str, list[float]] = {"nobody": [], "token": []}
    with ExitStack() as stack:
        clients = {}
        for way, seconds in measured.items():
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tabard-bench-")))
            registry = Registry.open((folder / names.REGISTRY).as_uri())
            secret = registry.bootstrap_token("ann", author=ROOT).secret
            options = ("--set", f"identity.tokens={str(way == 'token').lower()}")
            command = (*TABARD_SERVE, *options)
            address = stack.enter_context(running_server(folder, command=command))
            token = secret if way == "token" else None
            clients[way] = stack.enter_context(Client(address, token=token))
            _draw_small(clients[way])
            seconds.clear()
        for number in range(rounds * DEMO_CALLS):
            for way in list(clients)[:: 1 if number % 2 else -1]:
                begun_at = time.perf_counter()
                _draw_small(clients[way])
                measured[way].append(time.perf_counter() - begun_at)
    return measured


def _draw_small(client: Client) -> None:
    client.generate("a red circle", seed=7, num_inference_steps=4)


async def _measure(
    folder: Path, *, issuer: Issuer, rounds: int
) -> dict[str, dict[str, list[float]]]:
    settings = {
        "nobody": IdentitySettings(),
        "token": IdentitySettings(tokens=True),
        "jwt": IdentitySettings(
            jwt_issuer=issuer.url,
            jwt_audience=AUDIENCE,
            jwt_grants=(
                {"claim": "groups", "value": "artists", "namespace": OWN, "roles": ["generate"]},
            ),
        ),
    }
    async with AsyncExitStack() as stack:
        asked: dict[str, tuple[Server, Metadata]] = {}
        for way, identity in settings.items():
            place = folder / way
            place.mkdir()
            server = await stack.enter_async_context(asking(place, identity=identity))
            asked[way] = server, _shown(way, server=server, issuer=issuer)
        kinds: dict[str, Callable[[Server, Metadata], Awaitable[None]]] = {
            "resolve": _resolve,
            "image": _draw,
        }
        measured: dict[str, dict[str, list[float]]] = {
            kind: {way: [] for way in asked} for kind in kinds
        }
        for kind, call in kinds.items():
            for number in range(rounds * CALLS[kind]):
                # Each goes first as often as the others.
                first = number % len(asked)
                for way in (*asked, *asked)[first : first + len(asked)]:
                    begun_at = time.perf_counter()
                    await call(*asked[way])
                    measured[kind][way].append(time.perf_counter() - begun_at)
        return measured


def _shown(way: str, *, server: Server, issuer: Issuer) -> Metadata:
    if way == "nobody":
        return []
    if way == "jwt":
        return as_bearer(issuer.token())
    made = server.app.registry.create_token("ann", grants=EVERYTHING, author=ROOT)
    return as_bearer(made.secret)


async def _resolve(server: Server, shown: Metadata) -> None:
    await server.registry.Resolve(registry_service_pb2.ResolveRequest(ref=REF), metadata=shown)


async def _draw(server: Server, shown: Metadata) -> None:
    request = Request(prompt="a red circle", adapters=refs(REF), num_inference_steps=4)
    call: Any = server.generation.Generate(request, metadata=shown)
    async for _event in call:
        pass
