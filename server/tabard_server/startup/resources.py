# SPDX-License-Identifier: Apache-2.0
"""What a server is built around: the engine, the registry, and what brings one to the other.

In: settings. Out: these, loaded and opened: the slow part of a start, and the one that refuses a
place that cannot be trusted.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tabard_registry import Digest, Registry
from tabard_registry.intake.files.pickles import PickleRefused
from tabard_registry.place import open_store, refuse_strangers
from tabard_registry.store.store import FORMAT_KEY
from tabard_registry.upkeep.doctor import require_safe
from tabard_server.adapters.disk_cache import DiskCache, KeptRelease
from tabard_server.engine_port.costs import INDUCTOR, OPENVINO, Compiling
from tabard_server.engine_port.errors import UnknownSampler
from tabard_server.engine_port.loading_stage import Stage, Tell
from tabard_server.engine_port.memory import MEBIBYTE
from tabard_server.engine_port.port import EnginePort
from tabard_server.engine_port.samplers import default_sampler
from tabard_server.engine_port.stack import HostAdapterLike
from tabard_server.engine_port.work import GUIDED_SAMPLES
from tabard_server.errors import BadSettings
from tabard_server.judgement.pictures.encoder import Encoder
from tabard_server.pickles.reader import examine_seal
from tabard_server.safety.check import Classify
from tabard_server.settings import Settings
from tabard_server.startup.late_imports import garbage_kept
from tabard_server.startup.libraries import import_libraries
from tabard_server.telemetry.logs import log_event, log_problem
from tabard_server.telemetry.metrics import Metrics


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What a server is built around.

    Attributes:
        engine: The resident base.
        registry: The registry, opened.
        load_adapter: Brings a digest into host memory; called in worker threads.
        forget_file: Removes the files of a release from the disk tier.
        disk: The disk tier, if there is one.
        kept_releases: Says what the disk tier has for this base, last used first; reads files.
        encoders: Those that were trained, for evaluations.
        classify: The safety classifier, from pixels to scores by label; None: there is none.
    """

    engine: EnginePort[Any]
    registry: Registry
    load_adapter: Callable[[str], HostAdapterLike]
    forget_file: Callable[[Digest], None] = lambda _digest: None
    disk: DiskCache | None = None
    kept_releases: Callable[[], list[KeptRelease]] = list
    encoders: tuple[Encoder, ...] = ()
    classify: Classify | None = None


def load_resources(settings: Settings, metrics: Metrics) -> Resources:
    """Open the registry and load the engine: the slow part. It counts what it does.

    Raises:
        BaseNotLoadable: The base cannot be served.
        BadSettings: The default sampler cannot draw on the base, or an encoder or the safety
            classifier cannot be used.
        RegistryError: The registry cannot be opened, or its store cannot be trusted.
    """
    tell = stages_told()
    tell(Stage(name="opening the registry"))
    registry = open_registry(settings, metrics=metrics)
    tell(Stage(name="importing the model libraries"))
    with garbage_kept():
        import_libraries(compiles=settings.compiled is True)
        from tabard_server.adapters.loader import ReleaseLoader  # noqa: PLC0415 - torch comes late
        from tabard_server.engine.base.schedules.schedule import Asked  # noqa: PLC0415 - likewise
        from tabard_server.engine.load_engine import (  # noqa: PLC0415 - likewise
            EngineSettings,
            find_device,
            load_engine,
        )
    # Before the base: they are soon refused, and what they hold of a device is not planned with.
    encoders = _load_encoders(settings, engine_device=str(find_device(settings.device)), tell=tell)
    classify = _load_classifier(settings, tell=tell)
    engine = load_engine(
        EngineSettings(
            base=settings.base,
            base_config=settings.base_config,
            asked=Asked(
                prediction=settings.base_prediction,
                is_zero_snr=settings.base_zero_snr,
                family=settings.base_family,
            ),
            device=settings.device,
            dtype=settings.dtype,
            storage_dtype=settings.storage_dtype,
            slot_rank_total=settings.slot_rank_total,
            torch_threads=settings.torch_threads,
            compiling=_compiling(settings),
            can_merge=settings.merged_copy,
            rows_per_step_max=settings.limits.rows_per_step_max,
            memory_bytes_max=settings.memory_bytes_max,
            text_bytes_max=settings.limits.text_bytes_max,
        ),
        tell=tell,
    )
    _require_default_sampler(engine, name=settings.defaults.sampler)
    _log_remarks(engine, settings)
    _log_plan(engine)
    _log_seal()
    disk = _disk_cache(registry, settings=settings, metrics=metrics)
    load_adapter = ReleaseLoader(
        registry,
        profile=engine.profile,
        dtype=engine.dtype,
        disk=disk,
        is_pinned=engine.device.startswith("cuda"),
        is_strict=settings.releases_of == "base",
    )
    return Resources(
        engine=engine,
        registry=registry,
        load_adapter=load_adapter,
        forget_file=disk.forget,
        disk=disk,
        kept_releases=load_adapter.kept,
        encoders=encoders,
        classify=classify,
    )


def _log_remarks(engine: EnginePort[Any], settings: Settings) -> None:
    for remark in engine.facts.remarks:
        log_event("base.remark", base=settings.base, message=remark)


def _compiling(settings: Settings) -> Compiling | None:
    if not settings.compiled:
        return None
    return Compiling(
        root=Path(settings.cache).expanduser() / "compiled",
        bytes_max=settings.limits.compiled_bytes_max,
        compiler=OPENVINO if settings.compiled == OPENVINO else INDUCTOR,
    )


def _load_encoders(settings: Settings, *, engine_device: str, tell: Tell) -> tuple[Encoder, ...]:
    if not settings.encoders:
        return ()
    tell(Stage(name="loading the encoders"))
    from tabard_server.encoders.loading import load_encoders  # noqa: PLC0415 - torch comes late

    encoders = load_encoders(
        settings.encoders,
        engine_device=engine_device,
        bytes_max=settings.limits.encoder_bytes_max,
    )
    for one in encoders:
        log_event(
            "encoder.loaded",
            name=one.name,
            kind=str(one.kind),
            device=one.device,
            digest=f"sha256:{one.digest}",
        )
    return encoders


def _load_classifier(settings: Settings, *, tell: Tell) -> Classify | None:
    if not settings.safety.is_on:
        return None
    tell(Stage(name="loading the safety classifier"))
    from tabard_server.safety.loading import load_classifier  # noqa: PLC0415 - torch comes late

    safety = settings.safety
    classify = load_classifier(safety, bytes_max=settings.limits.encoder_bytes_max)
    log_event(
        "safety.loaded",
        model=safety.folder.name,
        policy=safety.policy,
        labels=",".join(one.label for one in safety.labels),
    )
    return classify


def _require_default_sampler(engine: EnginePort[Any], *, name: str) -> None:
    """Refuse a default that is a sampler, and none that this base can be walked with."""
    try:
        engine.resolve_sampler(default_sampler(name, prediction=engine.facts.prediction))
    except UnknownSampler as error:
        raise BadSettings(
            f"defaults.sampler: {error}",
            names=("defaults.sampler",),
            reason=error.reason,
            hint=error.hint,
        ) from error


def open_registry(settings: Settings, *, metrics: Metrics) -> Registry:
    """Open the registry, or make it in an empty place, once the place was seen to be safe.

    Raises:
        RegistryError: It cannot be opened, or its store would lose records (UNSAFE_STORE).
    """
    store = open_store(settings.registry, single_writer=settings.single_writer)
    if store.needs_doctor:
        if store.size_bytes(FORMAT_KEY) is None:
            # Nothing is probed in a place that is somebody else's.
            refuse_strangers(store.top_level(), url=store.url)
        require_safe(store)
    registry = Registry.open(store, cache=Path(settings.cache).expanduser() / "index")
    for damage in registry.checkpoints.damaged:
        metrics.registry_checkpoints.labels(outcome="damaged").inc()
        log_problem(
            "checkpoint.damaged", reason=damage.reason, message=str(damage), hint=damage.hint
        )
    return registry


def stages_told(clock: Callable[[], float] = time.monotonic) -> Tell:
    """Return what writes a line into the log for each stage of a start, as it begins."""
    begun_at = clock()

    def tell(stage: Stage) -> None:
        counted = {
            "mebibytes": stage.size_bytes,
            "mebibytes_done": stage.done_bytes,
            "mebibytes_total": stage.total_bytes,
        }
        sizes = {name: size // MEBIBYTE for name, size in counted.items() if size}
        log_event("base.loading", stage=stage.name, **sizes, seconds=clock() - begun_at)

    return tell


def _log_plan(engine: EnginePort[Any]) -> None:
    """Say what was planned and measured, and what of it nobody had fixed."""
    plan, work = engine.plan, engine.work
    if plan is None:
        return
    log_event(
        "engine.planned",
        rows_per_step=plan.rows_per_step,
        merged_copy=bool(plan.merged),
        texts_in_host_memory=bool(plan.shelved),
        chosen=",".join(plan.chosen) or "nothing",
        mebibytes=plan.total // MEBIBYTE,
        mebibytes_free="unknown" if plan.free is None else plan.free // MEBIBYTE,
        step_seconds=work.step.seconds(work.native, samples=GUIDED_SAMPLES),
    )


def _log_seal() -> None:
    """Say whether pickles can be read here, before somebody sends one."""
    try:
        log_event("pickles.sealed", layers=examine_seal())
    except PickleRefused as refused:
        log_event(
            "pickles.refused",
            level=logging.WARNING,
            reason=refused.reason,
            message=refused.detail,
            hint=refused.remedy,
        )


def _disk_cache(registry: Registry, *, settings: Settings, metrics: Metrics) -> DiskCache:
    disk = DiskCache(
        Path(settings.cache).expanduser() / "adapters",
        fetch=registry.fetch,
        bytes_max=settings.limits.disk_bytes_max,
        metrics=metrics,
    )
    metrics.adapter_resident_bytes.labels(tier="disk").set_function(lambda: disk.kept_bytes)
    return disk
