# SPDX-License-Identifier: Apache-2.0
"""What is said of a canary in a terminal."""

from __future__ import annotations

from typing import Any

from tabard.cli.layout import Text
from tabard.cli.output import fields, short, table
from tabard.health.canary import Canary, CanaryPair
from tabard.health.evaluation import PERSON_DECIDES

_STYLES = {"rolled_back": "bold red", "success": "bold green", "inconclusive": "bold yellow"}
_NEXT = {
    "inconclusive": "it serves what it served: promote, roll back, or stop the canary",
    "success": "promote it, unless the policy did",
}


def canary_text(canary: Canary) -> list[Any]:
    """Say how a canary stands: who is compared, figures against bounds, worst pairs, verdict."""
    streams = [
        (one.name, str(one.losses), str(one.units), f"{one.e_value:.3g}") for one in canary.streams
    ]
    worst = [(short(one.unit), _difference(one), _broken(one)) for one in canary.worst]
    return [
        Text(f"{canary.adapter} {canary.candidate_version} on {canary.channel}", style="bold"),
        fields(
            {
                "compared with": canary.baseline_version,
                "share": _share(canary),
                "evidence": f"E {canary.e_value:.3g}; {canary.e_value_bound:.3g} rolls it back",
                "prompts": f"{canary.losses} lost of {canary.units} judged, "
                f"at most {canary.units_max}",
                "on success": _on_success(canary),
                "started": f"{canary.started_at} by {canary.started_by}",
            }
        ),
        *([table("evidence", "lost", "of", "E", rows=streams)] if streams else []),
        *([table("worst prompts", "difference", "broken", rows=worst)] if worst else []),
        *(_how_to_look(canary) if worst else []),
        *verdict_text(canary),
        PERSON_DECIDES,
    ]


def verdict_text(canary: Canary) -> list[Any]:
    """Say what was said of a canary, and what people may do now."""
    if not canary.verdict:
        return ["verdict: none yet"]
    said = canary.verdict.replace("_", " ").capitalize()
    lines: list[Any] = [
        Text.assemble("verdict: ", (said, _STYLES.get(canary.verdict, ""))),
        f"  {canary.said} ({canary.judged_by}, seq {canary.judged_seq})",
    ]
    if canary.verdict in _NEXT:
        lines.append(f"  {_NEXT[canary.verdict]}")
    return lines


def row_of(canary: Canary) -> tuple[str, ...]:
    """Write a canary as one row of a table."""
    verdict = canary.verdict.replace("_", " ") or "open"
    return (
        canary.adapter,
        canary.channel,
        canary.candidate_version,
        canary.baseline_version,
        _percent(canary.share),
        f"{canary.e_value:.3g}",
        f"{canary.losses} of {canary.units}",
        verdict,
    )


def _how_to_look(canary: Canary) -> list[str]:
    """Say what stands behind a digest: nobody can be shown what a caller wrote."""
    sides = (canary.baseline_version, canary.candidate_version)
    refs = " ".join(f"{canary.adapter}@{version}" for version in sides)
    return [
        "  a prompt is told by the beginning of its SHA-256: what callers write is not kept, nor "
        "what was drawn of it for the canary",
        f"  to look at both releases, with prompts of your own: tabard compare {refs} "
        "--prompts FILE",
    ]


def _share(canary: Canary) -> str:
    if canary.is_promoted:
        return "all callers: the channel pointed to it when the canary started"
    steps = ", ".join(map(_percent, canary.shares))
    later = f"; steps {steps}" if steps else "; pairs alone"
    return f"{_percent(canary.share)} of the callers{later}"


def _on_success(canary: Canary) -> str:
    if canary.is_promoted or not canary.is_open:
        return ""
    by_itself = "the channel moves to it by itself: the policy says so"
    return by_itself if canary.promote_on_success else "people promote it"


def _percent(share: float) -> str:
    return f"{100 * share:g}%"


def _difference(pair: CanaryPair) -> str:
    return "" if pair.difference is None else f"{pair.difference:+.2f}"


def _broken(pair: CanaryPair) -> str:
    sides = (("candidate", pair.candidate_is_broken), ("baseline", pair.baseline_is_broken))
    return ", ".join(name for name, is_broken in sides if is_broken)
