# SPDX-License-Identifier: Apache-2.0
"""Puts the judging of canaries together for one server. In: its walk, its rooms, its bounds."""

from collections.abc import Awaitable, Callable

from tabard_registry import Registry
from tabard_server.canary.calibrating import Calibrating
from tabard_server.canary.conductor import Conductor
from tabard_server.canary.shadowing import Generate, Shadowing
from tabard_server.evaluation.evaluation import Evaluation
from tabard_server.evaluation.looks import Encoders
from tabard_server.limits import Limits
from tabard_server.threads import Threads


def canaries_for(
    registry: Registry,
    *,
    generate: Generate,
    evaluation: Evaluation,
    encoders: Encoders,
    limits: Limits,
    threads: Threads,
    on_act: Callable[[], Awaitable[None]],
) -> tuple[Shadowing, Conductor]:
    """Return what requests go through, and what leads the canaries."""
    shadowing = Shadowing(
        generate,
        state=lambda: registry.state,
        pairs_max=limits.canary_pairs_max,
        seconds_max=limits.canary_pair_seconds_max,
    )
    conductor = Conductor(
        registry,
        shadowing=shadowing,
        calibrating=Calibrating(
            pinning=evaluation.pinning,
            drawer=evaluation.drawer,
            encoders=encoders,
            threads=threads,
            looking_seconds_max=limits.canary_scoring_seconds_max,
        ),
        encoders=encoders,
        on_act=on_act,
        scoring_seconds_max=limits.canary_scoring_seconds_max,
        retry_seconds=limits.retry_seconds,
    )
    return shadowing, conductor
