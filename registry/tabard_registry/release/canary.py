# SPDX-License-Identifier: Apache-2.0
"""A canary of a release line, as the log tells it: two releases, a share, and what was observed.

What follows from the observations is judged elsewhere; here they are kept, each unit once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from tabard_registry.refs.digest import Digest
from tabard_registry.release.health import Told

ROLLED_BACK, SUCCESS, INCONCLUSIVE, STOPPED = "rolled_back", "success", "inconclusive", "stopped"
CANARY_VERDICTS = (ROLLED_BACK, SUCCESS, INCONCLUSIVE, STOPPED)
"""What may be said of a canary. `inconclusive` leaves it open: it holds until people decide."""
PAIR, VOTE, COMPLAINT = "pair", "vote", "complaint"
OBSERVATIONS_PER_ACT_MAX = 32
"""Most observations of one act. Part of the protocol."""
PAIRS_MAX = 1_000
"""Most pairs that a canary may be allowed to judge. Part of the protocol."""
COMPLAINTS_MAX = 1_000
"""Most complaints that a canary may be allowed to count. Part of the protocol."""
CANARY_VOTES_MAX = 1_000
"""Most votes that a canary counts. Part of the protocol."""
SHARES_MAX = 8
"""Most steps of exposure. Part of the protocol."""
WORST_MAX = 5
"""Most pairs that an end shows. Part of the protocol."""
POLICY_WORDS_MAX = 32
"""Most constants of a canary. Part of the protocol."""
UNIT_CHARS_MAX = 64
"""Longest name of a unit: a sha256."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One unit of evidence: a pair of pictures, a blind vote, or a complaint.

    Attributes:
        kind: `pair`, `vote` or `complaint`.
        unit: What is counted once within its kind.
        difference: Of a pair: the candidate's score minus the baseline's; None if one is broken.
        candidate_is_broken: Of a pair.
        baseline_is_broken: Of a pair.
        is_loss: Of a vote or complaint: whether it speaks against the candidate.
        share: Of a complaint: the candidate's share when the picture was drawn.

    Raises:
        ValueError: It is none of them.
    """

    kind: str
    unit: str
    difference: float | None = None
    candidate_is_broken: bool = False
    baseline_is_broken: bool = False
    is_loss: bool = False
    share: float = 0.0

    def __post_init__(self) -> None:
        if not (isinstance(self.unit, str) and 0 < len(self.unit) <= UNIT_CHARS_MAX):
            raise ValueError("a unit has a short name")
        flags = (self.candidate_is_broken, self.baseline_is_broken, self.is_loss)
        if not all(isinstance(flag, bool) for flag in flags):
            raise ValueError("a flag is true or false")
        if self.kind == PAIR:
            is_broken = self.candidate_is_broken or self.baseline_is_broken
            if not (_is_number(self.difference) or (self.difference is None and is_broken)):
                raise ValueError("a pair has a difference, or a broken side")
        elif self.kind == COMPLAINT:
            if not (_is_number(self.share) and 0.0 < self.share < 1.0):
                raise ValueError("a complaint tells the share, between 0 and 1")
        elif self.kind != VOTE:
            raise ValueError("unknown observation")

    def to_json(self) -> dict[str, Any]:
        """Write it as a JSON object."""
        said: dict[str, Any] = {"kind": self.kind, "unit": self.unit}
        if self.kind == PAIR:
            said["difference"] = self.difference
            broken = (self.candidate_is_broken, self.baseline_is_broken)
            names = ("candidate_is_broken", "baseline_is_broken")
            return said | {name: True for name, so in zip(names, broken, strict=True) if so}
        said["is_loss"] = self.is_loss
        return said | ({"share": self.share} if self.kind == COMPLAINT else {})

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> Observation:
        """Read what `to_json` wrote; raises ValueError, TypeError or KeyError."""
        return cls(**said)


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryFigures:
    """What a canary was judged by, when something was said of it.

    Attributes:
        e_value: The evidence that the candidate is worse; 1 is none.
        losses: Pairs that the candidate lost.
        units: Pairs that were judged.
        streams: Of each stream its losses, its units and its own e-value.
        worst: The worst pairs, the worst first.

    Raises:
        ValueError: They are no figures.
    """

    e_value: float = 1.0
    losses: int = 0
    units: int = 0
    streams: Mapping[str, tuple[int, int, float]] = field(
        default_factory=lambda: MappingProxyType({})
    )
    worst: tuple[Observation, ...] = ()

    def __post_init__(self) -> None:
        counts = (self.losses, self.units)
        if not (_is_number(self.e_value) and all(type(count) is int for count in counts)):
            raise ValueError("an e-value is a number, and counts are whole")
        if not (self.e_value >= 0.0 and 0 <= self.losses <= self.units):
            raise ValueError("losses are between none and all units")
        if len(self.worst) > WORST_MAX or any(one.kind != PAIR for one in self.worst):
            raise ValueError(f"at most {WORST_MAX} pairs are shown")
        if len(self.streams) > SHARES_MAX or not all(map(_is_stream, self.streams.values())):
            raise ValueError("a stream has losses, units and an e-value")

    def to_json(self) -> dict[str, Any]:
        """Write them as a JSON object."""
        return {
            "e_value": self.e_value,
            "losses": self.losses,
            "units": self.units,
            "streams": {name: list(said) for name, said in self.streams.items()},
            "worst": [one.to_json() for one in self.worst],
        }

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> CanaryFigures:
        """Read what `to_json` wrote; raises what unpacking and the checks raise."""
        streams = {str(name): tuple(row) for name, row in said["streams"].items()}
        return cls(
            e_value=said["e_value"],
            losses=said["losses"],
            units=said["units"],
            streams=MappingProxyType(streams),
            worst=tuple(Observation.from_json(row) for row in said["worst"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryTerms:
    """What a canary is run by: fixed when it starts.

    Attributes:
        candidate: The release that is tried.
        baseline: The release that it is compared with.
        shares: Steps of exposure, rising; none: nobody is served the candidate by it.
        policy: The constants of its judgement, by name.
        salt: What callers are hashed with.
        override: The reason that stands for what a gate asks; may be empty.

    Raises:
        ValueError: They are no terms.
    """

    candidate: Digest
    baseline: Digest
    shares: tuple[float, ...] = ()
    policy: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    salt: str = ""
    override: str = ""

    def __post_init__(self) -> None:
        if self.candidate == self.baseline:
            raise ValueError("a release is no canary of itself")
        rising = sorted(set(self.shares))
        if len(self.shares) > SHARES_MAX or list(self.shares) != rising:
            raise ValueError("shares rise")
        if not all(_is_number(share) and 0.0 < share < 1.0 for share in self.shares):
            raise ValueError("a share is between 0 and 1")
        if len(self.policy) > POLICY_WORDS_MAX or not all(map(_is_number, self.policy.values())):
            raise ValueError("a policy is numbers by name")
        if not isinstance(self.override, str):
            raise ValueError("an override is a text")
        if not (isinstance(self.salt, str) and len(self.salt) <= UNIT_CHARS_MAX):
            raise ValueError("a salt is a short text")
        for name, most in (("units_max", PAIRS_MAX), ("complaints_max", COMPLAINTS_MAX)):
            if not 1 <= self.policy.get(name, most) <= most:
                raise ValueError(f"{name} is between 1 and {most}")

    def to_json(self) -> dict[str, Any]:
        """Write them as a JSON object."""
        return {
            "candidate": str(self.candidate),
            "baseline": str(self.baseline),
            "shares": list(self.shares),
            "policy": dict(self.policy),
            "salt": self.salt,
            **({"override": self.override} if self.override else {}),
        }

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> CanaryTerms:
        """Read what `to_json` wrote; raises what unpacking and the checks raise."""
        return cls(
            candidate=Digest.parse(said["candidate"]),
            baseline=Digest.parse(said["baseline"]),
            shares=tuple(said["shares"]),
            policy=MappingProxyType(dict(said["policy"])),
            salt=said["salt"],
            override=said.get("override", ""),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """One canary of a release line; each release has at most one, ever.

    Attributes:
        channel: The channel.
        terms: What it is run by.
        started: By whom, when.
        reason: Why it was started.
        is_promoted: Whether the channel pointed to the candidate when it started: then it has all
            traffic, and a rollback moves the channel back.
        share: The share of the callers who are served the candidate through the channel.
        seen: What was observed, in the order of the log; empty once it has ended.
        verdict: What was said of it; empty: nothing yet.
        judged: By whom that was said, when.
        said: Why.
        figures: What it was judged by then.
        is_open: Whether it still serves and observes.
    """

    channel: str
    terms: CanaryTerms
    started: Told
    reason: str = ""
    is_promoted: bool = False
    share: float = 0.0
    seen: tuple[Observation, ...] = ()
    verdict: str = ""
    judged: Told | None = None
    said: str = ""
    figures: CanaryFigures = field(default_factory=CanaryFigures)
    is_open: bool = True

    @property
    def is_held(self) -> bool:
        """Whether it waits for people."""
        return self.is_open and self.verdict == INCONCLUSIVE

    @property
    def next_share(self) -> float | None:
        """The next step of exposure, or None."""
        return next((one for one in self.terms.shares if one > self.share), None)

    def room(self, kind: str) -> int:
        """Return how many observations of a kind it may have at most."""
        if kind == PAIR:
            return int(self.terms.policy.get("units_max", PAIRS_MAX))
        if kind == COMPLAINT:
            return int(self.terms.policy.get("complaints_max", COMPLAINTS_MAX))
        return CANARY_VOTES_MAX


def fresh_of(canary: Canary, wanted: tuple[Observation, ...]) -> tuple[Observation, ...]:
    """Return what a canary has not counted yet and has room for; the first of equal units."""
    known = {(one.kind, one.unit) for one in canary.seen}
    kinds = [one.kind for one in canary.seen]
    counts = {kind: kinds.count(kind) for kind in (PAIR, VOTE, COMPLAINT)}
    fresh = []
    for one in wanted:
        if (one.kind, one.unit) in known or counts[one.kind] >= canary.room(one.kind):
            continue
        known.add((one.kind, one.unit))
        counts[one.kind] += 1
        fresh.append(one)
    return tuple(fresh)


def _is_number(value: object) -> bool:
    is_one = isinstance(value, int | float) and not isinstance(value, bool)
    return is_one and math.isfinite(value)  # type: ignore[arg-type]


def _is_stream(row: tuple[Any, ...]) -> bool:
    losses, units, e_value = row
    return type(losses) is int and type(units) is int and _is_number(e_value)
