# SPDX-License-Identifier: Apache-2.0
"""The composition root: everything is constructed here and passed on; nothing is global.

In: settings and what was loaded. Out: a server that can be started and stopped.
"""

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tabard_registry import AppliedRecord
from tabard_registry.trust.signatures import Verifier
from tabard_server.adapters.host_cache import HostCache
from tabard_server.admission.assembly import admission_for, bounds_for, walks_for
from tabard_server.admission.pictures import PictureReader
from tabard_server.engine_port.port import EnginePort
from tabard_server.evaluation.assembly import grids_for
from tabard_server.evaluation.looks import Encoders
from tabard_server.followers.act_log import ActLog
from tabard_server.followers.checkpointing import Checkpointer
from tabard_server.followers.follower import Follower
from tabard_server.followers.heartbeat import heartbeat_for
from tabard_server.followers.warming import Warming
from tabard_server.followers.withdrawal import Withdrawal
from tabard_server.generation import Generation
from tabard_server.health import Health
from tabard_server.jobs.job import Job
from tabard_server.jobs.job_log import job_log_for
from tabard_server.jobs.job_traces import job_traces_for
from tabard_server.jobs.queue import Queue, queue_for
from tabard_server.life.bound import Bound
from tabard_server.life.process import Ending
from tabard_server.life.readiness import State
from tabard_server.life.watchdog import Watchdog
from tabard_server.life.weight_check import WeightCheck
from tabard_server.limits import Limits, Tenants
from tabard_server.loop.loop import Loop
from tabard_server.operations import Operations
from tabard_server.output.finisher import finisher_for
from tabard_server.output.provenance import origin_of
from tabard_server.publishing.downloads import Downloads
from tabard_server.publishing.policies import Policies
from tabard_server.publishing.publishing import publishing_for
from tabard_server.publishing.questions import Questions
from tabard_server.publishing.uploads import Uploads
from tabard_server.rpc.assembly import health_services_for, jobs_for
from tabard_server.rpc.front import Front
from tabard_server.rpc.generation.service import GenerationServicer
from tabard_server.rpc.identity.service import IdentityServicer
from tabard_server.rpc.jobs.service import JobServicer
from tabard_server.rpc.operations import OperationsServicer
from tabard_server.rpc.pages import Pages
from tabard_server.rpc.registry.service import RegistryServicer
from tabard_server.settings import Settings
from tabard_server.startup.resources import Resources
from tabard_server.telemetry.labels import Labels
from tabard_server.threads import Daemon, Threads
from tabard_server.version import tabard_version


class App:
    """One server around one engine and one registry. Construct it within a running event loop."""

    def __init__(self, settings: Settings, resources: Resources, *, front: Front) -> None:
        """Construct everything; nothing runs yet. From `start` on, a thread owns the engine.

        The front is open already, and is the app's from now on.
        """
        limits, engine, registry = settings.limits, resources.engine, resources.registry
        tenants = Tenants(settings.tenants)
        self._settings = settings
        self._front = front
        self.metrics = front.metrics
        self.readiness = front.readiness
        self.registry = registry
        self._verifier = Verifier()
        self._labels = Labels()
        self._open_threads(limits)
        self.gate = front.gate
        self.cache = self._build_cache(resources, limits=limits, tenants=tenants)
        origin = origin_of(engine, registry=registry)
        self._finisher = finisher_for(
            settings, origin=origin, classify=resources.classify, metrics=self.metrics
        )
        self.loop = Loop(
            engine, limits=limits, tenants=tenants, finisher=self._finisher, metrics=self.metrics
        )
        queue = queue_for(engine, limits=limits, tenants=tenants, metrics=self.metrics)
        self.room = queue.room
        bounds = bounds_for(engine, settings)
        self._pictures = PictureReader(bounds=bounds, limits=limits)
        self._job_log = job_log_for(settings)
        self._traces = job_traces_for(settings, is_hidden=self._is_hidden)
        self.generation = Generation(
            registry=registry,
            admission=admission_for(
                engine, settings, bounds=bounds, verifier=self._verifier, server_id=front.server_id
            ),
            pictures=self._pictures,
            readiness=self.readiness,
            queue=queue,
            cache=self.cache,
            loop=self.loop,
            limits=limits,
            metrics=self.metrics,
            clock=time.monotonic,
            on_admitted=self._note_admitted,
            threads=self._admitting,
            job_log=self._job_log,
            traces=self._traces,
            read_on=lambda: self._follower.read_on(),  # noqa: PLW0108 - it is made later
        )
        self._weight_check = WeightCheck(
            engine, metrics=self.metrics, retry_seconds=limits.retry_seconds
        )
        self._kept_releases = resources.kept_releases
        self._health = Health(
            engine,
            settings,
            registry=registry,
            generate=self.generation.generate,
            encoders=Encoders.with_learned(resources.encoders),
            verifier=self._verifier,
            on_act=lambda: self._follower.catch_up(),  # noqa: PLW0108 - it is made later
        )
        self._build_jobs(queue)
        front.recognise(registry)
        self._build_followers(resources)
        self._serve(engine)
        self._tasks: list[asyncio.Task[None]] = []
        self._describe(engine)

    async def start(self) -> tuple[str, str]:
        """Start threads, let jobs in; return address and metrics address.

        Raises:
            BadSettings: The folder of detached jobs cannot be had.
        """
        await self._jobs.open()
        self._finisher.start()
        self.loop.start()
        self._checkpointer.review()
        self._health.review()
        self._warming.begin_recall(self._kept_releases)
        self.readiness.leave(State.STARTING)
        for one in (self._follower, self._watchdog, self._heartbeat):
            name = f"tabard-{type(one).__name__.lower()}"
            self._tasks.append(asyncio.create_task(one.run(), name=name))
        return self._front.address, self._front.metrics_address

    def drain(self) -> None:
        """Refuse new jobs; running ones go on. Idempotent."""
        self.readiness.enter(State.DRAINING, "it finishes what it has")
        self._heartbeat.beat()

    async def stop(self, *, hurry: asyncio.Event | None = None) -> Ending:
        """Let jobs end, then everything else, within one bound; what is late is abandoned.

        Args:
            hurry: Once it is set, jobs have no time left and everything else a second.
        """
        async with Bound(
            jobs_seconds=self._settings.drain_seconds_max,
            rest_seconds=self._settings.stop_seconds_max,
            hurry=hurry,
        ) as bound:
            self.drain()
            self._health.drain()
            await bound.wait_for_jobs(self.generation.wait_until_empty())
            left = self.generation.jobs_left
            self.generation.stop_all()
            await bound.wait("jobs", self._jobs.close(), share=0.5)
            self._health.close()
            for one in (self._follower, self._watchdog, self._heartbeat):
                one.close()
            self._warming.close()
            # The engine's thread first, for it says best what came of its jobs.
            await bound.wait("engine", self.loop.stop(), share=0.5)
            await bound.wait("finisher", self._finisher.stop(), share=0.3)
            await bound.wait("calls", self._front.rpc.stop(grace_seconds=1.0), share=0.6)
            await bound.wait("followers", asyncio.gather(*self._tasks), share=0.5)
            await bound.wait("checkpoint", self._checkpointer.close(), share=0.5)
            self._close_threads()
            self._loads.shutdown(wait=False, cancel_futures=True)
            if self._traces.is_on:
                closing = Daemon("tabard-traces", self._traces.close)
                closing.start()
                await bound.wait("traces", closing.result(), share=0.5)
            await bound.wait("metrics page", self._front.close_page())
        self._job_log.flush()
        return Ending(jobs_cut_off=left, abandoned=bound.abandoned, seconds_left=bound.seconds_left)

    def _open_threads(self, limits: Limits) -> None:
        # Publishing an upload is an act as well.
        self._acts = Threads("act", threads_max=limits.registry_acts_max + limits.uploads_max)
        self._operators_acts = Threads(
            # So many come by the callers' address, and as many by the operators'.
            "operate",
            threads_max=2 * limits.operator_calls_reserved,
        )
        self._reads = Threads("read", threads_max=limits.registry_reads_max)
        self._admitting = Threads("admit", threads_max=1)
        self._loads = ThreadPoolExecutor(
            max_workers=limits.adapter_loads_max, thread_name_prefix="tabard-load"
        )

    def _close_threads(self) -> None:
        threads = (self._acts, self._operators_acts, self._reads, self._admitting)
        for one in (*threads, self._health.judging, self._pictures, self._weight_check):
            one.close()

    def _note_records(self, records: Sequence[AppliedRecord]) -> None:
        # Withdrawals first: nothing may stand between them and the jobs they end.
        self._withdrawal.review(records)
        self._front.sessions.review()
        self._act_log.review(records)
        self._warming.review(records)
        self._checkpointer.review()
        self._health.review()

    def _note_admitted(self, job: Job) -> None:
        for worn in job.worn:
            self._labels.note(worn.release)
        recipes = (one.release.adapter for one in job.recipes)
        self._warming.note_worn((*(worn.release.adapter for worn in job.worn), *recipes))

    def _build_cache(self, resources: Resources, *, limits: Limits, tenants: Tenants) -> HostCache:
        return HostCache(
            load=resources.load_adapter,
            bytes_max=limits.host_bytes_max,
            loads_max=limits.adapter_loads_max,
            waiting_rows_max=limits.ready_rows_max,
            overtakes_max=limits.overtakes_max,
            executor=self._loads,
            metrics=self.metrics,
            tenants=tenants,
        )

    def _build_jobs(self, queue: Queue) -> None:
        self._jobs = jobs_for(
            self._settings,
            address=self._front.address,
            generate=self._health.shadowing.generate,
            on_image=self._health.served.note,
            stop_where=self.generation.stop_where,
            rows_before=queue.forecast.rows_before,
            state=lambda: self.registry.state,
        )

    def _build_followers(self, resources: Resources) -> None:
        self._warming = Warming(
            self.registry, cache=self.cache, disk=resources.disk, labels=self._labels
        )
        self._withdrawal = Withdrawal(
            generation=self.generation,
            cache=self.cache,
            empty_slot=self.loop.forget,
            forget=(resources.forget_file, self._health.forget),
            empty_jobs=self._jobs.withdraw,
        )
        self._act_log = ActLog(self.metrics)
        self._checkpointer = Checkpointer(
            self.registry, records_min=self._settings.checkpoint_records, metrics=self.metrics
        )
        self._follower = Follower(
            self.registry,
            poll_seconds=self._settings.poll_seconds,
            on_records=self._note_records,
            metrics=self.metrics,
        )
        self._heartbeat = heartbeat_for(
            self._settings,
            self.registry,
            server_id=self._front.server_id,
            engine=resources.engine,
            readiness=self.readiness,
            lag_seconds=lambda: self._follower.lag_seconds,
            rows=lambda: (self.room.depth, self.loop.running_count),
        )
        self._watchdog = Watchdog(
            self.readiness,
            engine=self.loop,
            lag_seconds=lambda: self._follower.lag_seconds,
            settings=self._settings,
        )

    def _serve(self, engine: EnginePort[Any]) -> None:
        limits, pages = self._settings.limits, Pages.within(self._settings.limits)
        publishing = publishing_for(
            self.registry,
            self._settings,
            profile=engine.profile,
            cache=self.cache,
            follower=self._follower,
            threads=self._acts,
            operators_threads=self._operators_acts,
            labels=self._labels,
            verifier=self._verifier,
        )
        questions = self._questions()
        policies = Policies(self.registry, ways=self._settings.identity.ways)
        health = self._health
        self._front.rpc.serve(
            read_on=self._follower.read_on,
            generation=GenerationServicer(
                health.shadowing.generate,
                on_sent=health.served.note,
                jobs=self._jobs,
                reach=self._follower.reach,
            ),
            jobs=JobServicer(self._jobs, others=self._heartbeat.others, pages=pages),
            registry=RegistryServicer(
                self.registry,
                publishing=publishing,
                questions=questions,
                uploads=Uploads(limits=limits),
                downloads=Downloads(self.registry),
                previews=health.previews,
                pages=pages,
            ),
            identity=IdentityServicer(
                self.registry,
                publishing=publishing,
                policies=policies,
                questions=questions,
                pages=pages,
            ),
            **health_services_for(
                self.registry,
                limits=limits,
                evaluation=health.evaluation,
                grids=grids_for(engine, self._settings),
                encoders=health.encoders,
                judging=health.judging,
                policies=policies,
                served=health.served,
                metrics=self.metrics,
                others=self._heartbeat.others,
                publishing=publishing,
                questions=questions,
                pages=pages,
            ),
            operations=self._operations(engine, questions=questions),
        )

    def _questions(self) -> Questions:
        return Questions(
            self.registry,
            follower=self._follower,
            threads=self._reads,
            jobs_wearing=self.generation.jobs_wearing,
        )

    def _operations(self, engine: EnginePort[Any], *, questions: Questions) -> OperationsServicer:
        return OperationsServicer(
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
            sampler_options=walks_for(engine, self._settings).options(),
            readiness=self.readiness,
            weight_check=self._weight_check,
            room=self.room,
            loop=self.loop,
            follower=self._follower,
            heartbeat=self._heartbeat,
            questions=questions,
            clearance=self._finisher.clearance,
            identity_ways=self._settings.identity.ways,
            has_traces=self._traces.is_on,
        )

    def _is_hidden(self, adapter: str) -> bool:
        """Say whether a name stays out of metrics and traces."""
        if self._settings.metrics_private_names:
            return False
        policy = self.registry.state.policies.get(adapter.partition("/")[0])
        return policy is not None and policy.private

    def _describe(self, engine: EnginePort[Any]) -> None:
        metrics = self.metrics
        metrics.describe(
            version=tabard_version(), base_family=engine.profile.family, device=engine.device
        )
        metrics.rows.is_private = self._is_hidden
        metrics.rows_running.set_function(lambda: self.loop.running_count)
        metrics.registry_seq.set_function(lambda: self.registry.seq)
        metrics.registry_lag_seconds.set_function(lambda: self._follower.lag_seconds)
        metrics.engine_silent_seconds.set_function(lambda: self.loop.silent_seconds)
