# SPDX-License-Identifier: Apache-2.0
"""A server from its settings to its end: the door opens, the base is loaded, it serves, it drains.

In: settings. Out: how it ended.
"""

import asyncio
import os
import time
from collections.abc import Callable
from functools import partial

from tabard_server.app import App
from tabard_server.life.bound import HURRIED_SECONDS, Bound
from tabard_server.life.process import Ending, hear_signals
from tabard_server.life.ready_file import ReadyFile
from tabard_server.life.supervisor import Supervisor
from tabard_server.rpc.front import Front
from tabard_server.settings import Settings
from tabard_server.startup.resources import Resources, load_resources
from tabard_server.telemetry.logs import log_event
from tabard_server.telemetry.metrics import Metrics
from tabard_server.threads import Daemon, unless_set

Load = Callable[[Settings, Metrics], Resources]
OnReady = Callable[[str, str], None]
"""Called once with the address and the metrics address; the latter may be empty."""


async def serve(
    settings: Settings,
    *,
    on_ready: OnReady | None = None,
    stop: asyncio.Event | None = None,
    load: Load = load_resources,
) -> Ending:
    """Load the base, serve until SIGTERM, SIGINT or `stop`, then drain; a second signal hurries.

    Args:
        settings: What the server is told.
        on_ready: Called once, with the address and the metrics address.
        stop: Set it to stop; signals are heard as well when this is the main thread.
        load: Opens the registry and loads the engine, in a thread of its own.

    Raises:
        BadSettings: An address cannot be had; nothing was loaded.
        BaseNotLoadable: The base cannot be served.
        RegistryError: The registry cannot be opened.
    """
    stop, hurry = stop or asyncio.Event(), asyncio.Event()
    hear_signals(stop=stop, hurry=hurry)
    begun_at = time.monotonic()
    front, supervisor = Front(settings), Supervisor.of(os.environ)
    await front.open()
    with ReadyFile(settings.ready_file) as ready:
        async with supervisor.hearing_of(front.readiness):
            try:
                loading = Daemon("tabard-start", partial(load, settings, front.metrics))
                loading.start()
                resources = await unless_set(stop, loading.result())
            except Exception:
                await front.close()
                raise
            if resources is None:
                supervisor.stopping()
                return await _give_up(loading, front=front)
            app = App(settings, resources, front=front)
            address, metrics_address = await app.start()
            log_event(
                "server.ready",
                address=address,
                operators=front.operators_address or "off",
                metrics=metrics_address or "off",
                base=resources.engine.source,
                device=resources.engine.device,
                registry=resources.registry.id,
                seconds=time.monotonic() - begun_at,
            )
            ready.write(
                address=address,
                operators_address=front.operators_address,
                metrics_address=metrics_address,
            )
            supervisor.ready()
            if on_ready is not None:
                on_ready(address, metrics_address)
            await stop.wait()
            supervisor.stopping()
            log_event("server.draining", jobs=app.generation.jobs_left)
            ending = await app.stop(hurry=hurry)
    log_event("server.stopped", jobs_cut_off=ending.jobs_cut_off)
    return ending


async def _give_up(loading: Daemon[Resources], *, front: Front) -> Ending:
    """End a server that has not begun to serve: nobody is owed anything."""
    async with Bound(jobs_seconds=0.0, rest_seconds=HURRIED_SECONDS) as bound:
        await bound.wait("calls", front.close(), share=0.5)
        await bound.wait("loading", loading.result())
    log_event("server.stopped", jobs_cut_off=0)
    return Ending(abandoned=bound.abandoned, seconds_left=bound.seconds_left)
