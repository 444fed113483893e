# SPDX-License-Identifier: Apache-2.0
"""The whole server on a tiny base, with tight bounds, and a client at its door.

In: a folder. Out: a running `App` around the real engine and a registry in a folder, over real
gRPC. The engine is the real one behind its port, so that the players can empty its slots between
two steps.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tabard import AsyncClient
from tabard_registry import Registry
from tabard_server.adapters.loader import ReleaseLoader
from tabard_server.app import App
from tabard_server.engine.engine import Engine
from tabard_server.engine.load_engine import EngineSettings, load_engine
from tabard_server.limits import Limits
from tabard_server.rpc.front import Front
from tabard_server.settings import Settings
from tabard_server.startup.resources import Resources
from tests.interleavings.adapter_files import SLOT_RANKS

HOST_BYTES = 1_200_000
LIMITS = Limits(
    host_bytes_max=HOST_BYTES,
    queue_rows_max=64,
    running_rows_max=8,
    rows_per_step_max=5,
    outbox_events_max=4,
    finish_backlog_max=4,
)
"""Little of everything, so that every bound is reached."""


class EngineDoor:
    """An engine behind its port. Slots that nobody wears are emptied between steps on demand."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._wants_empty = threading.Event()
        self.evicted = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def empty_slots(self) -> None:
        """Ask the engine's thread to empty what nobody wears. Any thread."""
        self._wants_empty.set()

    def open_rows(self, specs: Sequence[Any]) -> Any:
        """Open rows, after what was asked for."""
        self._keep_promise()
        return self._engine.open_rows(specs)

    def step(self, rows: Sequence[Any], **options: Any) -> None:
        """Step rows, after what was asked for."""
        self._keep_promise()
        self._engine.step(rows, **options)

    def _keep_promise(self) -> None:
        if self._wants_empty.is_set():
            self._wants_empty.clear()
            self.evicted += self._engine.slots.evict_idle()


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A running server and who talks to it."""

    app: App
    engine: EngineDoor
    registry: Registry
    client: AsyncClient

    def fingerprint(self) -> str:
        """A hash of every tensor of the base, by its name."""
        digest = hashlib.sha256()
        for name, model in sorted(self.engine._base.models.items()):
            for key, tensor in sorted(model.state_dict().items()):
                digest.update(f"{name}.{key}".encode())
                digest.update(tensor.detach().contiguous().numpy().tobytes())
        return digest.hexdigest()

    def parameter_ids(self) -> tuple[int, ...]:
        """Which objects the parameters of the base are."""
        models = sorted(self.engine._base.models.items())
        return tuple(id(one) for _, model in models for one in model.parameters())


@asynccontextmanager
async def on_stage(base: Path, *, folder: Path) -> AsyncIterator[Stage]:
    """Run a server for the length of a block."""
    settings = EngineSettings(
        base=str(base), device="cpu", dtype="float32", slot_rank_total=SLOT_RANKS
    )
    engine = load_engine(settings)
    with _opened_registry(folder) as registry:
        door: Any = EngineDoor(engine)
        loader = ReleaseLoader(registry, profile=engine.profile, dtype=engine.dtype)
        settings_here = _settings(folder)
        front = Front(settings_here)
        await front.open()
        resources = Resources(engine=door, registry=registry, load_adapter=loader)
        app = App(settings_here, resources, front=front)
        address, _ = await app.start()
        try:
            async with AsyncClient(address, actor="player") as client:
                yield Stage(app=app, engine=door, registry=registry, client=client)
        finally:
            await app.stop()


def _settings(folder: Path) -> Settings:
    return Settings(
        listen="127.0.0.1:0",
        metrics_listen="",
        slot_rank_total=SLOT_RANKS,
        limits=LIMITS,
        cache=str(folder / "cache"),
        poll_seconds=0.05,
        drain_seconds_max=5.0,
        checkpoint_records=200,
    )


@contextmanager
def _opened_registry(folder: Path) -> Iterator[Registry]:
    registry = Registry.open((folder / "registry").as_uri(), cache=folder / "index")
    try:
        yield registry
    finally:
        registry.close()
