# SPDX-License-Identifier: Apache-2.0
"""Canaries of a release line as JSON in a checkpoint, and back."""

from __future__ import annotations

from typing import Any

from tabard_registry.checkpoint.judged import told_from_json, told_to_json
from tabard_registry.release.canary import Canary, CanaryFigures, CanaryTerms, Observation


def canary_to_json(canary: Canary) -> list[Any]:
    """Write one canary."""
    return [
        canary.channel,
        canary.terms.to_json(),
        told_to_json(canary.started),
        canary.reason,
        [canary.is_promoted, canary.is_open, canary.share],
        [one.to_json() for one in canary.seen],
        canary.verdict,
        told_to_json(canary.judged) if canary.judged else None,
        canary.said,
        canary.figures.to_json(),
    ]


def canary_from_json(row: Any) -> Canary:
    """Read what `canary_to_json` wrote; raises what unpacking and parsing raise."""
    channel, terms, started, reason, standing, seen, verdict, judged, said, figures = row
    is_promoted, is_open, share = standing
    return Canary(
        channel=channel,
        terms=CanaryTerms.from_json(terms),
        started=told_from_json(started),
        reason=reason,
        is_promoted=is_promoted,
        is_open=is_open,
        share=share,
        seen=tuple(map(Observation.from_json, seen)),
        verdict=verdict,
        judged=told_from_json(judged) if judged else None,
        said=said,
        figures=CanaryFigures.from_json(figures),
    )
