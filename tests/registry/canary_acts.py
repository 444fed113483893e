# SPDX-License-Identifier: Apache-2.0
"""Steps of canaries, as acts of a log and as what a server says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tabard_registry import Author, Registry
from tabard_registry.acts import CanaryName, CanaryStep, observe, start_canary
from tabard_registry.log.records import Action
from tabard_registry.refs.digest import Digest
from tabard_registry.release.canary import (
    COMPLAINT,
    PAIR,
    CanaryFigures,
    CanaryTerms,
    Observation,
)
from tests.registry.fakes import NAME, ref
from tests.registry.state.short_logs import DIGESTS, act

POLICY = {"units_max": 8, "complaints_max": 4, "false_rollback_max": 0.01}
SHARES = (0.05, 0.25, 0.5)
SERVER = Author(actor="server", on_behalf_of="ann")
FIGURES = CanaryFigures(e_value=170.5, losses=11, units=11, worst=())


def pair(unit: str, difference: float | None = 0.0, **fields: Any) -> Observation:
    """A pair that was judged."""
    return Observation(kind=PAIR, unit=unit, difference=difference, **fields)


def complaint(unit: str, *, is_loss: bool = True, share: float = 0.05) -> Observation:
    """A complaint."""
    return Observation(kind=COMPLAINT, unit=unit, is_loss=is_loss, share=share)


def start(candidate: str = "1.1.0", *, baseline: str = "1.0.0", **terms: Any) -> Action:
    """The start of a canary."""
    said = {"shares": SHARES, "policy": POLICY, "salt": "salt", **terms}
    found = CanaryTerms(
        candidate=Digest.parse(DIGESTS[candidate]),
        baseline=Digest.parse(DIGESTS[baseline]),
        **said,
    )
    return replace(act("canary", candidate), summary={"step": "start", **found.to_json()})


def step(name: str, *, on: str = "1.1.0", of: str = "1.1.0", **said: Any) -> Action:
    """Another step: on a release, of the canary of a release."""
    return replace(act("canary", on), summary={"step": name, "candidate": DIGESTS[of], **said})


def observed(*observations: Observation) -> Action:
    """An observation."""
    return step("observe", observations=[one.to_json() for one in observations])


def ended(verdict: str, *, on: str = "1.1.0", figures: CanaryFigures = FIGURES) -> Action:
    """What was said of it."""
    return step("end", on=on, verdict=verdict, figures=figures.to_json(), said="because")


def started(registry: Registry, version: str = "1.1.0", **terms: Any) -> tuple[CanaryName, int]:
    """Start a canary in a registry: its name, and where."""
    said = {"channel": "stable", "policy": POLICY, "salt": "s", "shares": SHARES, **terms}
    begun = registry.commit(start_canary(ref(version), **said), author=Author(actor="ann"))
    return CanaryName(adapter=NAME, candidate=begun.canary.terms.candidate), begun.seq


def write(registry: Registry, name: CanaryName, *observations: Observation) -> CanaryStep:
    """Observe, as a server does."""
    return registry.commit(observe(name, observations=observations), author=SERVER)
