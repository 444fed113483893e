# SPDX-License-Identifier: Apache-2.0
"""Canaries and complaints, as the SDK tells them.

Scores inform, and a person decides. Plain frozen values; they know nothing of the network.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryStream:
    """One kind of evidence.

    Attributes:
        name: `soft`: scores that differ; `hard`: one broken side; `votes`; `complaints`.
        losses: Units that speak against the candidate.
        units: All units.
        e_value: Its own evidence, before it is weighted; 1 is none.
    """

    name: str
    losses: int
    units: int
    e_value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryPair:
    """One prompt that both releases drew, with the same seeds.

    Attributes:
        unit: Digest of the normalised prompt, in hex.
        difference: The candidate's score minus the baseline's; None: one side is broken.
        candidate_is_broken: Whether a picture of the candidate is broken.
        baseline_is_broken: Whether a picture of the baseline is.
    """

    unit: str
    difference: float | None
    candidate_is_broken: bool
    baseline_is_broken: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """A release that is tried beside what its channel serves, or served before it.

    Attributes:
        adapter: The release line.
        channel: The channel.
        candidate_version: Version of the release that is tried.
        candidate_digest: Its digest.
        baseline_version: Version of what it is compared with.
        baseline_digest: Its digest.
        is_promoted: Whether the channel pointed to the candidate when it started.
        is_open: Whether it still observes, and serves its share.
        share: The share of the callers that is served the candidate through the channel.
        shares: The steps of exposure; none: it draws pairs alone.
        promote_on_success: Whether a success would move the channel, as the policy is now.
        started_by: Who started it.
        started_at: When, RFC 3339.
        seq: Log position of the start.
        verdict: `rolled_back`, `success`, `inconclusive`, `stopped`; empty: nothing yet.
        said: Why, in words.
        judged_by: Who said it.
        judged_at: When, RFC 3339; empty: nothing was said yet.
        judged_seq: Log position of that.
        e_value: The evidence that the candidate is worse; 1 is none.
        e_value_bound: As soon as it reaches this the canary is rolled back.
        losses: Pairs that the candidate lost.
        units: Pairs that were judged.
        units_max: After so many without a verdict people are asked.
        streams: What each kind of evidence says.
        worst: The worst pairs, the worst first.
    """

    adapter: str
    channel: str
    candidate_version: str
    candidate_digest: str
    baseline_version: str
    baseline_digest: str
    is_promoted: bool
    is_open: bool
    share: float
    shares: tuple[float, ...]
    promote_on_success: bool
    started_by: str
    started_at: str
    seq: int
    verdict: str
    said: str
    judged_by: str
    judged_at: str
    judged_seq: int
    e_value: float
    e_value_bound: float
    losses: int
    units: int
    units_max: int
    streams: tuple[CanaryStream, ...]
    worst: tuple[CanaryPair, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageReport:
    """A complaint that was taken.

    Attributes:
        counted: Whether it counts for a canary.
        adapter: The release line of the picture; empty: it wears none.
        version: The version that drew it.
    """

    counted: bool
    adapter: str
    version: str
