# SPDX-License-Identifier: Apache-2.0
"""Puts admission together for one engine and its settings. In: both. Out: what `App` passes on."""

import random
import time
from typing import Any

from tabard_registry.trust.signatures import Verifier
from tabard_server.adapters.served_base import ServedBase
from tabard_server.admission.admission import Admission
from tabard_server.admission.bounds.numbers import Bounds
from tabard_server.admission.bounds.sizes import Sizes
from tabard_server.admission.controls import ControlReader
from tabard_server.admission.declared import DeclaredSampling
from tabard_server.admission.prompts import PromptChecker
from tabard_server.admission.regions.reader import RegionReader
from tabard_server.admission.stack import Stacker
from tabard_server.admission.walks import WalkReader
from tabard_server.engine_port.port import EnginePort
from tabard_server.engine_port.samplers import default_sampler
from tabard_server.engine_port.weights.blocks import Blocks
from tabard_server.life.server_id import new_job_id
from tabard_server.settings import Settings


def bounds_for(engine: EnginePort[Any], settings: Settings) -> Bounds:
    """Return the bounds of numbers and sizes; sizes follow what the engine measures."""
    facts, limits = engine.facts, settings.limits
    return Bounds(
        family=engine.profile.family,
        facts=facts,
        sizes=Sizes(facts=facts, limits=limits, work=lambda: engine.work, plan=engine.plan),
        limits=limits,
        defaults=settings.defaults,
    )


def walks_for(engine: EnginePort[Any], settings: Settings) -> WalkReader:
    """Return what reads how steps lie."""
    return WalkReader(
        resolve_sampler=engine.resolve_sampler,
        samplers=engine.facts.samplers,
        train_timesteps=engine.facts.train_timesteps,
        default_sampler=default_sampler(
            settings.defaults.sampler, prediction=engine.facts.prediction
        ),
        prediction=engine.facts.prediction,
    )


def admission_for(
    engine: EnginePort[Any],
    settings: Settings,
    *,
    bounds: Bounds,
    verifier: Verifier,
    server_id: str,
) -> Admission:
    """Return an admission with real clocks, ids and seeds."""
    limits, defaults = settings.limits, settings.defaults
    walks = walks_for(engine, settings)
    rng = random.SystemRandom()
    return Admission(
        bounds=bounds,
        stacker=Stacker(
            base=ServedBase(
                family=engine.profile.family,
                fingerprint=engine.profile.fingerprint,
                is_strict=settings.releases_of == "base",
            ),
            rank_total_max=settings.slot_rank_total,
            can_merge=engine.can_merge,
            limits=limits,
            verifier=verifier,
            controls=ControlReader(
                blocks=Blocks(engine.profile.modules.get(engine.profile.denoiser, ())),
                family=engine.profile.family,
            ),
        ),
        prompts=PromptChecker(
            reader=engine.new_prompt_reader(),
            limits=limits,
            defaults=defaults,
            work=lambda: engine.work,
        ),
        walks=walks,
        declared=DeclaredSampling(
            walks=walks,
            check=bounds.check_sampling,
            numbers=bounds.numbers_of,
            prediction=engine.facts.prediction,
        ),
        regions=RegionReader(
            latent_factor=engine.facts.latent_factor,
            regions_max=limits.regions_per_request_max,
        ),
        limits=limits,
        shows_previews=not settings.safety.hides_previews,
        clock=time.monotonic,
        new_id=lambda: new_job_id(server_id),
        draw_seed=lambda most: rng.randint(0, most),
    )
