# SPDX-License-Identifier: Apache-2.0
"""What people say of releases, and what a promotion lacks, as the SDK tells it.

Plain frozen values; they know nothing of protobuf or the network.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tabard.access.identity import Gate


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingForGate:
    """One thing that a release lacks for a channel.

    Attributes:
        what: What is missing, in words.
        role: The role in the namespace that it takes.
        how: What its holder does.
        overridable: Whether a promotion with an override and its reason does without it.
        names: Holders of tokens who could, as far as the caller may know of tokens.
        has_others: Whether there may be others who could, of whom the caller is not told.
    """

    what: str
    role: str
    how: str
    overridable: bool
    names: tuple[str, ...]
    has_others: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyExplanation:
    """What stands between a release and a channel.

    Attributes:
        adapter: `namespace/name` of the release.
        version: Its version.
        digest: Its digest.
        channel: The channel.
        gates: What the channel asks for, by pattern; all of them.
        missing: What the release lacks; nothing: it may be promoted.
        override_suffices: Whether a promotion with an override would do now.
    """

    adapter: str
    version: str
    digest: str
    channel: str
    gates: Mapping[str, Gate]
    missing: tuple[MissingForGate, ...]
    override_suffices: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """What a person decided about a release.

    Attributes:
        reviewer: Who.
        on_behalf_of: What they said of themselves, where it is known who they are.
        proof: How that is known: `token`, `jwt`, `certificate`; empty: nobody checked.
        decision: `approve` or `reject`.
        note: Why.
        evidence_digest: The report that they saw; empty: there was none.
        is_current: Whether that is the newest report: only such words count.
        seq: Log position.
        time: When, as ISO 8601.
    """

    reviewer: str
    on_behalf_of: str
    proof: str
    decision: str
    note: str
    evidence_digest: str
    is_current: bool
    seq: int
    time: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewed:
    """The answer to a review.

    Attributes:
        adapter: `namespace/name` of the release.
        version: Its version.
        digest: Its digest.
        review: The review as it stands.
        changed: False when it stood so already: nothing was written.
    """

    adapter: str
    version: str
    digest: str
    review: Review
    changed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviews:
    """What people say of a release.

    Attributes:
        adapter: `namespace/name` of the release.
        version: Its version.
        digest: Its digest.
        report_digest: Its newest report; empty: there is none.
        report_verdict: What that says: `success`, `failed` or `inconclusive`.
        reviews: Newest first.
        votes_for_candidate: Blind votes for its pictures, on pairs of its newest report.
        votes_for_baseline: Votes for the pictures of the release that it was compared with.
        votes_tied: Votes for neither: the pictures are as good as each other.
        votes_both_bad: Votes against both.
        labels: What voters saw fail, by label: in how many pictures of the release, and in how
            many of those that it was compared with.
    """

    adapter: str
    version: str
    digest: str
    report_digest: str
    report_verdict: str
    reviews: tuple[Review, ...]
    votes_for_candidate: int
    votes_for_baseline: int
    votes_tied: int
    votes_both_bad: int
    labels: Mapping[str, tuple[int, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class BlindPair:
    """Two pictures to choose between; who drew which is told once the vote is stored.

    Attributes:
        adapter: `namespace/name` of the release.
        version: Its version.
        digest: Its digest.
        pair: What you call the pair; for others it has another name.
        prompt: What both pictures were to show.
        negative_prompt: What they were not to show.
        seed: The seed of both.
        pair_count: How many pairs the newest report has.
        voted_count: On how many of them you have voted.
    """

    adapter: str
    version: str
    digest: str
    pair: str
    prompt: str
    negative_prompt: str
    seed: int
    pair_count: int
    voted_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredVote:
    """A vote that is stored, and whose picture was whose.

    Attributes:
        adapter: `namespace/name` of the release.
        version: Its version.
        digest: Its digest.
        a: Who drew A: `candidate`, the release, or `baseline`, what it was compared with.
        b: Who drew B.
        chosen: Whom you chose; empty: neither.
        pair_count: How many pairs the newest report has.
        voted_count: On how many of them you have voted now.
    """

    adapter: str
    version: str
    digest: str
    a: str
    b: str
    chosen: str
    pair_count: int
    voted_count: int
