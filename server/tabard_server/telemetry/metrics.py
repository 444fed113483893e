# SPDX-License-Identifier: Apache-2.0
"""Every metric of the server, declared here and nowhere else, on a registry of its own.

In: numbers from all rooms. Out: the Prometheus page. Units stand last in the names.
"""

from collections.abc import Callable
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info

from tabard_registry.release.health import CHECKS
from tabard_server.telemetry.release_rows import ReleaseRows
from tabard_server.telemetry.tenants import TenantCounts

RELEASES_MAX = 1_000
"""How many releases have a series of their own, unless a setting says otherwise."""
TENANTS_MAX = 100
"""How many tenants have series of their own, unless a setting says otherwise."""

_STEP_BUCKETS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
_JOB_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
_LOAD_BUCKETS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_BATCH_BUCKETS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)


class Metrics:
    """All metrics of one server.

    `tabard_info` is a gauge that is always 1; its labels say what the server is.
    """

    def __init__(self, *, releases_max: int = RELEASES_MAX, tenants_max: int = TENANTS_MAX) -> None:
        """Take how many releases, and how many tenants, have series of their own."""
        self.registry = registry = CollectorRegistry(auto_describe=True)
        gauge, counter = partial(Gauge, registry=registry), partial(Counter, registry=registry)
        histogram = partial(Histogram, registry=registry)
        self._show_queue(gauge)
        self.state = gauge(
            "tabard_state",
            "1 for the state the server is in: new jobs are taken while serving or degraded.",
            ("state",),
        )
        self.engine_silent_seconds = gauge(
            "tabard_engine_silent_seconds",
            "Seconds since the engine was heard of; 0 while it has nothing to do.",
        )
        self.registry_seq = gauge("tabard_registry_seq", "Log position this server has seen.")
        self.registry_lag_seconds = gauge(
            "tabard_registry_lag_seconds", "Seconds since the registry last answered."
        )
        self.adapter_resident_bytes = gauge(
            "tabard_adapter_resident_bytes", "Bytes of adapters in a tier.", ("tier",)
        )
        self.step_seconds = histogram(
            "tabard_step_seconds", "Time of one denoise step of a batch.", buckets=_STEP_BUCKETS
        )
        self.batch_rows = histogram(
            "tabard_batch_rows", "Images that shared a forward pass.", buckets=_BATCH_BUCKETS
        )
        self.job_seconds = histogram(
            "tabard_job_seconds", "Admission to the last image.", buckets=_JOB_BUCKETS
        )
        self.queue_seconds = histogram(
            "tabard_queue_seconds", "Admission to the first denoise step.", buckets=_JOB_BUCKETS
        )
        self.adapter_load_seconds = histogram(
            "tabard_adapter_load_seconds",
            "Time to bring an adapter into a tier.",
            ("tier",),
            buckets=_LOAD_BUCKETS,
        )
        self.rows = ReleaseRows(registry=registry, releases_max=releases_max)
        self.tenants = TenantCounts(registry=registry, tenants_max=tenants_max)
        self.images = counter("tabard_images_total", "Images sent.")
        self.jobs = counter("tabard_jobs_total", "Jobs ended, by outcome.", ("outcome",))
        self.jobs_attached = counter(
            "tabard_jobs_attached_total",
            "Calls that were given the job of an earlier one with the same request id, by whether "
            "it still ran.",
            ("running",),
        )
        self.image_reports = counter(
            "tabard_image_reports_total", "Complaints about pictures, by label.", ("label",)
        )
        self.replay_bytes = gauge(
            "tabard_replay_bytes", "Bytes of images kept for calls with the same request id."
        )
        self.failures = counter("tabard_failures_total", "Failures, by reason.", ("reason",))
        self.adapter_cache_hits = counter(
            "tabard_adapter_cache_hits_total", "Adapters found in a tier.", ("tier",)
        )
        self.text_bytes = gauge("tabard_text_bytes", "Bytes of encoded prompts on the device.")
        self.adapter_loads = counter(
            "tabard_adapter_loads_total", "Adapters brought into a tier.", ("tier",)
        )
        self.channel_moves = counter(
            "tabard_channel_moves_total", "Channels moved, by act.", ("action",)
        )
        self._count_by_outcome(counter)
        self._info = Info("tabard", "What this server is.", registry=registry)

    def describe(self, *, version: str, base_family: str, device: str) -> None:
        """Say once what this server is."""
        self._info.info({"version": version, "base_family": base_family, "device": device})

    def count_job(
        self,
        outcome: str,
        *,
        tenant: str,
        queue_seconds: float | None,
        total_seconds: float,
        reason: str,
    ) -> None:
        """Count the end of a job; `queue_seconds` is None where no step was begun for it."""
        self.jobs.labels(outcome=outcome).inc()
        if queue_seconds is not None:
            self.tenants.count_wait(tenant, seconds=queue_seconds)
        if outcome == "done":
            self.job_seconds.observe(total_seconds)
            self.queue_seconds.observe(queue_seconds or 0.0)
        elif outcome == "expired":
            self.jobs_expired.labels(begun="no" if queue_seconds is None else "yes").inc()
        elif outcome == "failed":
            self.failures.labels(reason=reason).inc()

    def _show_queue(self, gauge: Callable[[str, str], Gauge]) -> None:
        """Declare how full a server is."""
        self.rows_waiting = gauge("tabard_rows_waiting", "Images admitted and not yet begun.")
        self.queue_work_seconds = gauge(
            "tabard_queue_work_seconds",
            "Seconds that the engine is thought to need for all images admitted and not finished.",
        )
        self.rows_running = gauge("tabard_rows_running", "Images begun and not yet finished.")

    def _count_by_outcome(self, counter: Callable[[str, str, tuple[str, ...]], Counter]) -> None:
        """Declare what is 0 on the page until it happens for the first time."""
        self.texts = counter(
            "tabard_texts_total",
            "What images are told in words, by whether it was found encoded or was encoded.",
            ("outcome",),
        )
        for outcome in ("found", "encoded"):
            self.texts.labels(outcome=outcome)
        self.registry_checkpoints = counter(
            "tabard_registry_checkpoints_total",
            "Checkpoints of the registry, by outcome: written, failed, found damaged.",
            ("outcome",),
        )
        for outcome in ("written", "failed", "damaged"):
            self.registry_checkpoints.labels(outcome=outcome)
        self.jobs_expired = counter(
            "tabard_jobs_expired_total",
            "Jobs whose deadline passed, by whether a step was begun for them.",
            ("begun",),
        )
        for begun in ("yes", "no"):
            self.jobs_expired.labels(begun=begun)
        self.safety_verdicts = counter(
            "tabard_safety_verdicts_total",
            "Images that the safety classifier looked at, by what became of them; failed: it could "
            "not, and they were not sent.",
            ("verdict",),
        )
        self.signatures = counter(
            "tabard_signatures_total",
            "Images and previews signed with Content Credentials, by outcome.",
            ("outcome",),
        )
        for label in CHECKS:
            self.image_reports.labels(label=label)
        for verdict in ("passed", "flagged", "blurred", "withheld", "failed"):
            self.safety_verdicts.labels(verdict=verdict)
        for outcome in ("signed", "failed"):
            self.signatures.labels(outcome=outcome)
        for running in ("yes", "no"):
            self.jobs_attached.labels(running=running)
