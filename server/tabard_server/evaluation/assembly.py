# SPDX-License-Identifier: Apache-2.0
"""Puts evaluation together for one server. In: its engine, its settings, its rooms."""

from pathlib import Path
from typing import Any

from tabard_registry import Registry
from tabard_registry.evidence.grid import Grid
from tabard_registry.trust.signatures import Verifier
from tabard_server.engine_port.port import EnginePort
from tabard_server.engine_port.samplers import default_sampler
from tabard_server.evaluation.drawer import Drawer, Generate
from tabard_server.evaluation.evaluation import Evaluation
from tabard_server.evaluation.looks import Encoders
from tabard_server.evaluation.picture_cache import PictureCache
from tabard_server.evaluation.pinning import Pinning
from tabard_server.evaluation.plan import Origin
from tabard_server.evaluation.previews import PreviewRoom
from tabard_server.evaluation.published import Published
from tabard_server.evaluation.shipped_grids import shipped_grids
from tabard_server.settings import Settings
from tabard_server.threads import Threads


def evaluation_for(
    engine: EnginePort[Any],
    settings: Settings,
    *,
    registry: Registry,
    generate: Generate,
    encoders: Encoders,
    verifier: Verifier,
    threads: Threads,
) -> tuple[Evaluation, PreviewRoom]:
    """Return what evaluates releases on an engine, and what shows them."""
    limits, defaults, facts = settings.limits, settings.defaults, engine.facts
    cache = PictureCache(
        Path(settings.cache).expanduser() / "evaluations", bytes_max=limits.evaluation_bytes_max
    )
    origin = Origin(
        base_family=engine.profile.family,
        base_fingerprint=engine.profile.fingerprint,
        device=engine.device,
        dtype=facts.dtype,
        libraries=facts.versions,
        pixel_multiple=facts.pixel_multiple,
    )
    pinning = Pinning(
        registry,
        grids=grids_for(engine, settings),
        resolve_sampler=engine.resolve_sampler,
        default_sampler=default_sampler(defaults.sampler, prediction=engine.facts.prediction),
        origin=origin,
        verifier=verifier,
        published=Published(registry, encoders=encoders, limits=limits),
        limits=limits,
    )
    drawer = Drawer(
        generate,
        cache=cache,
        threads=threads,
        rows_max=limits.background_rows_max,
        retry_seconds=limits.retry_seconds,
    )
    evaluation = Evaluation(
        registry,
        pinning=pinning,
        drawer=drawer,
        encoders=encoders,
        policy=settings.evaluation,
        threads=threads,
        looking_seconds_max=limits.canary_scoring_seconds_max,
    )
    previews = PreviewRoom(
        registry,
        pinning=pinning,
        drawer=drawer,
        threads=threads,
        is_for_all=settings.previews_at_publish,
    )
    return evaluation, previews


def grids_for(engine: EnginePort[Any], settings: Settings) -> dict[str, Grid]:
    """Return the grids that every registry has, as this engine draws them, by name."""
    facts, defaults = engine.facts, settings.defaults
    return shipped_grids(
        width=facts.native_width,
        height=facts.native_height,
        steps=defaults.steps,
        guidance_scale=facts.guidance_scale(None, default=defaults.guidance_scale),
    )
