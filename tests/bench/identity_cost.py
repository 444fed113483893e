# SPDX-License-Identifier: Apache-2.0
"""What it costs a small request that its caller is known: nobody asked, a token, a JWT, in turns.

The smallest call (a ref is resolved, from memory), and a small image on a server without a model.
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from tabard.v1 import registry_service_pb2
from tabard_registry.identity.roles import EVERYTHING
from tabard_server.access.settings import IdentitySettings
from tests.server.harness import Request, Server, refs
from tests.server.identity.issuer import AUDIENCE, Issuer, issuing
from tests.server.rpc.door.known_callers import OWN, ROOT, as_bearer, asking

REF = f"{OWN}/ink@1.0.0"
CALLS = {"resolve": 200, "image": 40}
"""Calls of each kind in one round; who is asked what takes turns call by call."""

Metadata = list[tuple[str, str]]


def run(*, rounds: int) -> dict[str, dict[str, list[float]]]:
    """Return seconds of every call, by kind of call and by how callers are known."""
    with tempfile.TemporaryDirectory() as folder, issuing() as issuer:
        return asyncio.run(_measure(Path(folder), issuer=issuer, rounds=rounds))


def report(measured: dict[str, dict[str, list[float]]]) -> None:
    """Print the medians, and what being known adds."""
    print("\n| call | nobody asked | a token | a JWT |\n|---|---|---|---|")
    for kind, by_way in measured.items():
        base = statistics.median(by_way["nobody"])
        cells = []
        for way in ("token", "jwt"):
            # Of each pair the difference, so that what slows one slows both.
            pairs = zip(by_way[way], by_way["nobody"], strict=True)
            added = statistics.median(known - unknown for known, unknown in pairs)
            cells.append(f"{added * 1e6:+.0f} us ({added / base:+.1%})")
        print(f"| {kind} | {base * 1e3:.2f} ms | {' | '.join(cells)} |")


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
