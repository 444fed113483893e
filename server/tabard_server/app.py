# SPDX-License-Identifier: Apache-2.0
"""The composition root: everything is constructed here and passed on; nothing is global.

In: settings. Out: a server that runs until it is told to stop, then drains. Other hosts of the
same core construct `App` themselves.
"""

import asyncio
import json
import os
import random
import secrets
import signal
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tabard_registry import AppliedRecord, IntakeLimits, Registry
from tabard_registry.trust.signatures import Verifier
from tabard_server.adapters.host_cache import HostCache
from tabard_server.admission.admission import Admission
from tabard_server.admission.numbers import Bounds
from tabard_server.admission.pictures import PictureReader
from tabard_server.admission.prompts import PromptChecker
from tabard_server.admission.sizes import Sizes
from tabard_server.admission.stack import Stacker
from tabard_server.callers.gate import Gate
from tabard_server.engine.sampling.samplers import SAMPLERS
from tabard_server.engine_port.port import EnginePort
from tabard_server.errors import BadSettings
from tabard_server.followers.checkpointing import Checkpointer
from tabard_server.followers.follower import Follower
from tabard_server.followers.warming import Warming
from tabard_server.followers.withdrawal import Withdrawal
from tabard_server.generation import Generation
from tabard_server.jobs.job import Job
from tabard_server.jobs.waiting_room import WaitingRoom
from tabard_server.limits import Limits
from tabard_server.loop.loop import Loop
from tabard_server.operations import Operations
from tabard_server.output.finisher import Finisher
from tabard_server.output.provenance import Origin
from tabard_server.publishing.downloads import Downloads
from tabard_server.publishing.publishing import Publishing
from tabard_server.publishing.questions import Questions
from tabard_server.publishing.uploads import Uploads
from tabard_server.rpc.generation.service import GenerationServicer
from tabard_server.rpc.operations import OperationsServicer
from tabard_server.rpc.registry.service import RegistryServicer
from tabard_server.rpc.server import RpcServer
from tabard_server.settings import Settings
from tabard_server.startup import Resources, load_resources
from tabard_server.telemetry.labels import Labels
from tabard_server.telemetry.logs import log_event
from tabard_server.telemetry.metrics_page import MetricsPage
from tabard_server.threads import Threads
from tabard_server.version import tabard_version

OnReady = Callable[[str, str], None]
"""Called once with the address and the metrics address; the latter may be empty."""


class App:
    """One server around one engine and one registry. Construct it within a running event loop."""

    def __init__(self, settings: Settings, resources: Resources) -> None:
        """Construct everything; nothing runs yet. From `start` on, a thread owns the engine."""
        limits, engine, registry = settings.limits, resources.engine, resources.registry
        self._settings = settings
        self.metrics = resources.metrics
        self.registry = registry
        self._verifier = Verifier()
        self._labels = Labels()
        # Publishing an upload is an act as well.
        self._acts = Threads("act", threads_max=limits.registry_acts_max + limits.uploads_max)
        self.gate = Gate(limits)
        self._operators_acts = Threads("operate", threads_max=limits.operator_calls_reserved)
        self._reads = Threads("read", threads_max=limits.registry_reads_max)
        self._admitting = Threads("admit", threads_max=1)
        self._loads = ThreadPoolExecutor(
            max_workers=limits.adapter_loads_max, thread_name_prefix="tabard-load"
        )
        self.cache = HostCache(
            load=resources.load_adapter,
            bytes_max=limits.host_bytes_max,
            loads_max=limits.adapter_loads_max,
            waiting_rows_max=limits.ready_rows_max,
            overtakes_max=limits.overtakes_max,
            executor=self._loads,
            metrics=self.metrics,
        )
        self._finisher = Finisher(
            origin=_origin(engine, registry),
            backlog_max=limits.finish_backlog_max,
            metrics=self.metrics,
        )
        self.loop = Loop(engine, limits=limits, finisher=self._finisher, metrics=self.metrics)
        self.room = _waiting_room(limits)
        bounds = _bounds(engine, settings)
        self._pictures = PictureReader(bounds=bounds, limits=limits)
        self.generation = Generation(
            registry=registry,
            admission=_admission(engine, settings, bounds=bounds, verifier=self._verifier),
            pictures=self._pictures,
            room=self.room,
            cache=self.cache,
            loop=self.loop,
            limits=limits,
            metrics=self.metrics,
            clock=time.monotonic,
            on_admitted=self._note_admitted,
            threads=self._admitting,
        )
        self._warming = Warming(
            registry, cache=self.cache, disk=resources.disk, labels=self._labels
        )
        self._kept_releases = resources.kept_releases
        self._withdrawal = Withdrawal(
            generation=self.generation, cache=self.cache, forget=resources.forget_file
        )
        self._checkpointer = Checkpointer(
            registry, records_min=settings.checkpoint_records, metrics=self.metrics
        )
        self._follower = Follower(
            registry,
            poll_seconds=settings.poll_seconds,
            on_records=self._note_records,
            metrics=self.metrics,
        )
        self._rpc = self._build_rpc(engine)
        self._page: MetricsPage | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._describe(engine)

    async def start(self) -> tuple[str, str]:
        """Start threads, metrics page and gRPC; return address and metrics address.

        Raises:
            BadSettings: An address cannot be had.
        """
        try:
            address = await self._rpc.start(self._settings.listen)
            if self._settings.metrics_listen:
                listen = self._settings.metrics_listen
                self._page = MetricsPage(listen, registry=self.metrics.registry)
        except BadSettings:
            await self._rpc.stop(grace_seconds=0.0)
            raise
        self._finisher.start()
        self.loop.start()
        self._checkpointer.review()
        self._warming.begin_recall(self._kept_releases)
        self._tasks.append(asyncio.create_task(self._follower.run(), name="tabard-follower"))
        await self._rpc.begin_serving()
        return address, self._page.address if self._page else ""

    async def drain(self) -> None:
        """Refuse new jobs; running ones go on. Idempotent."""
        self.generation.drain()
        await self._rpc.end_serving()

    async def stop(self) -> int:
        """Drain within the settings' bound, then stop everything; return the jobs cut off."""
        await self.drain()
        left = await self.generation.wait_until_empty(seconds_max=self._settings.drain_seconds_max)
        self.generation.stop_all()
        self._follower.close()
        self._warming.close()
        await self._rpc.stop(grace_seconds=1.0)
        await asyncio.gather(*self._tasks)
        await self._checkpointer.close()
        self._acts.close()
        self._operators_acts.close()
        self._reads.close()
        self._admitting.close()
        self._pictures.close()
        await asyncio.to_thread(self.loop.stop)
        await asyncio.to_thread(self._finisher.stop)
        self._loads.shutdown(wait=False, cancel_futures=True)
        if self._page is not None:
            await asyncio.to_thread(self._page.close)
        return left

    def _note_records(self, records: Sequence[AppliedRecord]) -> None:
        # Withdrawals first: nothing may stand between them and the jobs they end.
        self._withdrawal.review(records)
        self._warming.review(records)
        self._checkpointer.review()

    def _note_admitted(self, job: Job) -> None:
        for worn in job.worn:
            self._labels.note(worn.release)
        recipes = (one.release.adapter for one in job.recipes)
        self._warming.note_worn((*(worn.release.adapter for worn in job.worn), *recipes))

    def _build_rpc(self, engine: EnginePort[Any]) -> RpcServer:
        limits = self._settings.limits
        intake = IntakeLimits(
            files_max=limits.upload_files_max,
            file_bytes_max=limits.upload_bytes_max,
            rank_max=min(IntakeLimits().rank_max, self._settings.slot_rank_total),
        )
        publishing = Publishing(
            self.registry,
            profile=engine.profile,
            limits=intake,
            cache=self.cache,
            follower=self._follower,
            threads=self._acts,
            operators_threads=self._operators_acts,
            labels=self._labels,
            verifier=self._verifier,
            takes_other_prediction=self._settings.adapters_of_other_prediction,
        )
        return RpcServer(
            generation=GenerationServicer(self.generation),
            registry=RegistryServicer(
                self.registry,
                publishing=publishing,
                questions=Questions(
                    self.registry, follower=self._follower, threads=self._reads, limits=limits
                ),
                uploads=Uploads(limits=limits),
                downloads=Downloads(self.registry),
                page_bytes_max=limits.page_bytes_max,
            ),
            operations=OperationsServicer(
                Operations(
                    self.registry,
                    generation=self.generation,
                    loop=self.loop,
                    cache=self.cache,
                    labels=self._labels,
                    verifier=self._verifier,
                    drain=self.drain,
                ),
                registry=self.registry,
                engine=engine,
                generation=self.generation,
                room=self.room,
                loop=self.loop,
                follower=self._follower,
            ),
            gate=self.gate,
            count=self._count_failure,
            limits=limits,
        )

    def _count_failure(self, reason: str) -> None:
        self.metrics.failures.labels(reason=reason).inc()

    def _describe(self, engine: EnginePort[Any]) -> None:
        metrics = self.metrics
        metrics.describe(
            version=tabard_version(), base_family=engine.profile.family, device=engine.device
        )
        metrics.rows_waiting.set_function(lambda: self.room.depth)
        metrics.rows_running.set_function(lambda: self.loop.running_count)
        metrics.registry_seq.set_function(lambda: self.registry.seq)
        metrics.registry_lag_seconds.set_function(lambda: self._follower.lag_seconds)


async def serve(
    settings: Settings,
    *,
    on_ready: OnReady | None = None,
    stop: asyncio.Event | None = None,
    load: Callable[[Settings], Resources] = load_resources,
) -> None:
    """Load the base, serve until SIGTERM, SIGINT or `stop`, then drain.

    Args:
        settings: What the server is told.
        on_ready: Called once, with the address and the metrics address.
        stop: Set it to stop; signals are heard as well when this is the main thread.
        load: Opens the registry and loads the engine, in a worker thread.

    Raises:
        BadSettings: An address cannot be had.
        BaseNotLoadable: The base cannot be served.
        RegistryError: The registry cannot be opened.
    """
    stop = stop or asyncio.Event()
    _stop_on_signals(stop)
    begun_at = time.monotonic()
    resources = await asyncio.to_thread(load, settings)
    app = App(settings, resources)
    address, metrics_address = await app.start()
    log_event(
        "server.ready",
        address=address,
        metrics=metrics_address or "off",
        base=resources.engine.source,
        device=resources.engine.device,
        registry=resources.registry.id,
        seconds=time.monotonic() - begun_at,
    )
    if settings.ready_file is not None:
        _write_ready(Path(settings.ready_file), address=address, metrics_address=metrics_address)
    if on_ready is not None:
        on_ready(address, metrics_address)
    await stop.wait()
    log_event("server.draining", jobs=app.generation.jobs_left)
    left = await app.stop()
    log_event("server.stopped", jobs_cut_off=left)


def _bounds(engine: EnginePort[Any], settings: Settings) -> Bounds:
    limits, facts = settings.limits, engine.facts
    return Bounds(
        family=engine.profile.family,
        facts=facts,
        sizes=Sizes(facts=facts, limits=limits, work=lambda: engine.work, plan=engine.plan),
        limits=limits,
        defaults=settings.defaults,
    )


def _admission(
    engine: EnginePort[Any], settings: Settings, *, bounds: Bounds, verifier: Verifier
) -> Admission:
    limits, defaults = settings.limits, settings.defaults
    rng = random.SystemRandom()
    return Admission(
        bounds=bounds,
        stacker=Stacker(
            base_family=engine.profile.family,
            rank_total_max=settings.slot_rank_total,
            can_merge=engine.can_merge,
            limits=limits,
            verifier=verifier,
        ),
        prompts=PromptChecker(
            reader=engine.new_prompt_reader(),
            limits=limits,
            defaults=defaults,
            windows_max=engine.facts.prompt_windows_max,
            work=lambda: engine.work,
        ),
        resolve_sampler=engine.resolve_sampler,
        limits=limits,
        defaults=defaults,
        clock=time.monotonic,
        new_id=lambda: secrets.token_hex(8),
        draw_seed=lambda most: rng.randint(0, most),
    )


def _waiting_room(limits: Limits) -> WaitingRoom:
    return WaitingRoom(
        rows_max=limits.queue_rows_max,
        caller_share_max=limits.caller_share_max,
        retry_seconds=limits.retry_seconds,
    )


def _origin(engine: EnginePort[Any], registry: Registry) -> Origin:
    return Origin(
        tabard=tabard_version(),
        base_family=engine.profile.family,
        base_fingerprint=engine.profile.fingerprint,
        base_source=Path(engine.source).name or engine.source,
        registry_id=registry.id,
        versions=engine.facts.versions,
        sampler_titles={name: sampler.title for name, sampler in SAMPLERS.items()},
    )


def _stop_on_signals(stop: asyncio.Event) -> None:
    if threading.current_thread() is not threading.main_thread():
        return
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)


def _write_ready(path: Path, *, address: str, metrics_address: str) -> None:
    document = {"address": address, "metrics_address": metrics_address, "pid": os.getpid()}
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(json.dumps(document), encoding="utf-8")
    temporary.replace(path)
