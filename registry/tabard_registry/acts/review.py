# SPDX-License-Identifier: Apache-2.0
"""What people say of a release: reviews of a report, and votes on blind pairs of its pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from tabard_registry.acts.act import Act, Acted, Plan, acted, action_on
from tabard_registry.acts.author import Author
from tabard_registry.errors import InvalidField, NotFound, PreconditionFailed
from tabard_registry.log.records import Action
from tabard_registry.refs.digest import Digest
from tabard_registry.refs.names import AdapterRef
from tabard_registry.release.health import (
    CHOICES,
    DECISIONS,
    NO_LABELS,
    PAIR_CHARS_MAX,
    REVIEWS_MAX,
    VOTES_MAX,
    Health,
    Labels,
    labels_to_json,
)
from tabard_registry.release.release import Release
from tabard_registry.state.judging import is_author
from tabard_registry.state.state import State


def review(
    ref: AdapterRef, *, decision: str, evidence: Digest | None, author: Author
) -> Act[Acted[Release]]:
    """Plan to approve of a release or to reject it; the author's reason is the note.

    Args:
        ref: The release.
        decision: `approve` or `reject`.
        evidence: The report that the reviewer saw; None: there is none.
        author: Who reviews.

    Its plan raises:
        PreconditionFailed: It is their own release (REVIEW_BY_AUTHOR), or there is a newer report
            than they saw (REVIEW_OUTDATED).
    """
    _refuse_unknown(decision, DECISIONS)
    summary = {"decision": decision, "evidence": str(evidence) if evidence else ""}

    def plan(state: State) -> Plan:
        release = state.find_kept(ref)
        refuse_author(release, author)
        report = release.health.report
        if (report.document if report else None) != evidence:
            newest = report.document.short if report else "none"
            raise PreconditionFailed(
                f"the newest report on {release} is {newest}, and that is not what you saw",
                reason="REVIEW_OUTDATED",
                hint=f"Read it with `tabard evidence show {release}`, then review again.",
            )
        mine = [one for one in release.health.reviews if one.told.actor == author.actor]
        said = (decision, evidence, author.reason)
        if any((one.decision, one.evidence, one.note) == said for one in mine):
            return Plan(action=None)
        if not mine:
            _refuse_full(release, found=len(release.health.reviews), most=REVIEWS_MAX)
        return Plan(action=replace(action_on("review", release), summary=summary))

    return Act(
        plan=plan,
        is_same=_like("review", ref, summary, author=author),
        answer=acted(lambda state: state.find(ref)),
        reasoned="a review",
    )


def vote(
    ref: AdapterRef,
    *,
    pair: str,
    choice: str,
    evidence: Digest,
    author: Author,
    labels: Labels = NO_LABELS,
) -> Act[Acted[Release]]:
    """Plan to say which picture of a blind pair is the better one.

    Args:
        ref: The release.
        pair: The pair.
        choice: `candidate`, `stable`, `tie` or `both_bad`.
        evidence: The report that the pair is of.
        author: Who votes; once on each pair, for the vote unblinds it.
        labels: Failure checks that they saw fail.

    Its plan raises:
        PreconditionFailed: They have voted on it, and know the sides (VOTE_UNBLINDED).
    """
    _refuse_unknown(choice, CHOICES)
    if not 0 < len(pair) <= PAIR_CHARS_MAX:
        raise InvalidField("that is no pair", reason="FIELD_INVALID", hint="Ask for the next pair.")
    said = labels_to_json(labels)
    summary: dict[str, Any] = {"pair": pair, "choice": choice, "evidence": str(evidence)}
    summary |= {"labels": said} if said else {}

    def plan(state: State) -> Plan:
        release = state.find_kept(ref)
        note = release.health.note_of(evidence)
        if note is None or note.kind != "report":
            raise NotFound(
                f"no report {evidence.short} on {release}",
                reason="EVIDENCE_NOT_FOUND",
                hint=f"`tabard evidence list {release}` lists them.",
            )
        if has_voted(release.health, pair=pair, actor=author.actor):
            raise PreconditionFailed(
                f"{author.actor} has voted on this pair, and knows the sides",
                reason="VOTE_UNBLINDED",
                hint="Ask for the next pair.",
            )
        _refuse_full(release, found=len(release.health.votes), most=VOTES_MAX)
        return Plan(action=replace(action_on("vote", release), summary=summary))

    return Act(
        plan=plan,
        is_same=_like("vote", ref, summary, author=author),
        answer=acted(lambda state: state.find(ref)),
    )


def has_voted(health: Health, *, pair: str, actor: str) -> bool:
    """Say whether somebody has voted on a pair."""
    return any((one.pair, one.told.actor) == (pair, actor) for one in health.votes)


def refuse_author(release: Release, author: Author) -> None:
    """Refuse who published a release, or had it published.

    Raises:
        PreconditionFailed: It is so (REVIEW_BY_AUTHOR).
    """
    if is_author(release, actor=author.actor, on_behalf_of=author.on_behalf_of):
        raise PreconditionFailed(
            f"{release} was published by {release.published_by}"
            + (f" for {release.published_for}" if release.published_for else "")
            + ", who cannot review it",
            reason="REVIEW_BY_AUTHOR",
            hint="Ask somebody else with the role review.",
        )


def _refuse_unknown(said: str, known: tuple[str, ...]) -> None:
    if said not in known:
        raise InvalidField(
            f"unknown: {said[:40]!r}", reason="FIELD_INVALID", hint=f"Say one of: {known}."
        )


def _refuse_full(release: Release, *, found: int, most: int) -> None:
    if found >= most:
        raise PreconditionFailed(
            f"{release} has {most} of them already",
            reason="EXPECT_MISMATCH",
            hint="That is enough to decide by.",
        )


def _like(
    kind: str, ref: AdapterRef, summary: Mapping[str, Any], *, author: Author
) -> Callable[[Action], bool]:
    # Another's word is never mine: whether both say the same would tell the sides of a pair.
    wanted = (kind, str(ref.adapter), author.actor, summary)
    return lambda found: (found.type, found.adapter, found.actor, dict(found.summary)) == wanted
