# SPDX-License-Identifier: Apache-2.0
"""Whether a release may be promoted to a channel, and what is missing. Pure, part of the protocol.

A rollback never asks here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tabard_registry.identity.roles import Role
from tabard_registry.release.bounds import SUCCESS
from tabard_registry.release.gates import Gate, bounds_asked, gates_matching
from tabard_registry.release.health import CHECKS, EvidenceNote
from tabard_registry.release.keys import Policy
from tabard_registry.release.release import Release

_SUBJECT = "subject"


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """One thing that a release lacks for a channel.

    Attributes:
        what: What is missing, in words.
        role: Who can give it: the role it takes in the namespace.
        how: What they do.
        overridable: Whether a person's override with a reason stands for it.
        only: Who alone can give it, by name; empty: whoever has the role.
        but: Who cannot, whatever their role.
    """

    what: str
    role: Role
    how: str
    overridable: bool
    only: tuple[str, ...] = ()
    but: tuple[str, ...] = ()

    def may_come_from(self, name: str) -> bool:
        """Say whether somebody who has the role could give it."""
        return name not in self.but and (not self.only or name in self.only)


def missing_for(
    release: Release, *, policy: Policy | None, channel: str, override: str = ""
) -> tuple[Missing, ...]:
    """Say what a release lacks for a channel; nothing where nobody asked for anything.

    Args:
        release: The release.
        policy: That of its namespace.
        channel: The channel.
        override: A person's reason, which stands for a Success and for checks, never for reviews.
    """
    gates = tuple(gates_matching(policy.channels, channel).values()) if policy else ()
    found = _missing_success(release, gates, channel=channel)
    found += [one for gate in gates for one in _missing(release, gate)]
    left = (one for one in found if not (override.strip() and one.overridable))
    return tuple(dict.fromkeys(left))


def refusal_of(release: Release, *, policy: Policy | None, channel: str, override: str = "") -> str:
    """Say in one sentence why a release may not be promoted; empty: it may."""
    missing = missing_for(release, policy=policy, channel=channel, override=override)
    if not missing:
        return ""
    return f"{channel} asks more of {release}: {'; '.join(one.what for one in missing)}"


def _missing_success(release: Release, gates: Sequence[Gate], *, channel: str) -> list[Missing]:
    asking = [gate for gate in gates if gate.require_success]
    report = release.health.report
    said = ""
    if asking:
        said = "it has no report, which has to say Success"
        if report:
            said = _no_success(report, asking, channel=channel)
    if not said:
        return []
    return [
        Missing(
            what=f"{said}, not Success" if report else said,
            role=Role.PUBLISH,
            how=f"{_next_step(release)}, or promote with an override and its reason",
            overridable=True,
        )
    ]


def _no_success(report: EvidenceNote, asking: Sequence[Gate], *, channel: str) -> str:
    """Say why a report is no Success for a channel; empty: it is one.

    Its figures are held against what the channel asks now, whatever its verdict was made by.
    """
    if report.measurement is None:
        names = sorted({name for gate in asking for name in gate.bounds})
        if names:
            return f"its newest report has no figures to hold against {', '.join(names)}"
        return "" if report.verdict == SUCCESS else f"its newest report says {report.verdict}"
    bounds = bounds_asked(asking, defaults=report.measurement.bounds)
    verdict = report.measurement.verdict(bounds)
    if verdict == SUCCESS:
        return ""
    why = report.measurement.misses(bounds) or "nothing was compared"
    if verdict == report.verdict:
        return f"its newest report says {verdict} ({why})"
    other = f"its newest report says {report.verdict}, and by what {channel} asks it is {verdict}"
    return f"{other} ({why})"


def _missing(release: Release, gate: Gate) -> list[Missing]:
    found: list[Missing] = []
    report = release.health.report
    if gate.require_checks and release.judged_as == _SUBJECT:
        checks = report.checks if report else {}
        open_ones = [one for one in CHECKS if checks.get(one, "not_checked") == "not_checked"]
        if open_ones:
            found.append(
                Missing(
                    what=f"not checked: {', '.join(open_ones)}",
                    role=Role.PUBLISH,
                    how=f"complete the checks of the report on {release}",
                    overridable=True,
                )
            )
    return [*found, *_missing_reviews(release, gate)]


def _next_step(release: Release) -> str:
    """Say what may bring a Success; the same evaluation again would be the same report."""
    report = release.health.report
    if report is None:
        return f"evaluate {release}"
    if report.verdict == "Failed":
        return "publish a better version and evaluate that"
    return f"evaluate {release} with what its report says is lacking"


def _missing_reviews(release: Release, gate: Gate) -> list[Missing]:
    if not gate.reviews:
        return []
    report = release.health.report
    seen = report.document if report else None
    # A word on an older report is no word on this one.
    reviews = [one for one in release.health.reviews if one.evidence == seen]
    approved = tuple(one.told.actor for one in reviews if one.decision == "approve")
    rejected = tuple(one.told.actor for one in reviews if one.decision == "reject")
    authors = tuple(filter(None, (release.published_by, release.published_for)))
    found = []
    if len(approved) < gate.reviews:
        found.append(
            Missing(
                what=f"{len(approved)} of {gate.reviews} reviews approve of its newest report",
                role=Role.REVIEW,
                how=f"review {release}; its author {release.published_by} cannot",
                overridable=False,
                but=(*authors, *approved),
            )
        )
    if rejected:
        found.append(
            Missing(
                what=f"rejected by {', '.join(rejected)}",
                role=Role.REVIEW,
                how="who rejected it reviews again, or a new report is made",
                overridable=False,
                only=rejected,
            )
        )
    return found
