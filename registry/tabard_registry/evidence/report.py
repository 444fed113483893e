# SPDX-License-Identifier: Apache-2.0
"""The report on a release: what was drawn and measured, and what people say of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import ClassVar, Literal

from tabard_registry.evidence.codec import refused
from tabard_registry.refs.digest import Digest
from tabard_registry.refs.names import AdapterName
from tabard_registry.refs.semver import Version
from tabard_registry.release.bounds import Measurement, check_bounds
from tabard_registry.release.health import CHECKS

Verdict = Literal["Success", "Failed", "Inconclusive"]
"""What a measurement says; a person decides."""
CheckState = Literal["clear", "flagged", "not_checked"]
"""How a failure check stands; unknown is `not_checked`, never a silent pass."""
PEOPLES_FIELDS = (
    *("goal", "prompt_record", "technical", "checks", "outcome"),
    "candidates",
)
"""What people complete; of the candidates, which are selected and why. All else was measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """The release that a document speaks of."""

    adapter: AdapterName
    version: Version
    digest: Digest
    kind: str = ""
    purpose: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Against:
    """The release of the same line that it was compared with."""

    version: Version
    digest: Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderNote:
    """An encoder that measured; scores of different ones are never compared."""

    name: str
    kind: str
    digest: Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What the release is for, and why by this kind of fine-tuning."""

    purpose: Literal["", "concept", "style", "subject"] = ""
    statement: str = ""
    why_this_method: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptNote:
    """One prompt of the prompt record."""

    prompt: str
    seed: int
    negative_prompt: str = ""
    reference: Digest | None = None
    model: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One picture of the grid: a PNG, by digest, of one prompt and seed."""

    image: Digest
    prompt: int
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A picture that the release drew, and whether somebody chose it."""

    image: Digest
    prompt: int
    seed: int
    selected: bool = False
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One score with its interval; `not_checked` has a reason instead of a value.

    Attributes:
        name: What it is called.
        state: Whether it could be measured.
        value: The value.
        low: Lower end of its interval.
        high: Upper end of it.
        baseline: The same of what it would replace.
        paired_low: Lower end of the interval of the difference, pair by pair.
        paired_high: Upper end of that.
        reason: What it is; if it was not measured, why.
        of: Of a score that counts pictures: of how many.
    """

    name: str
    state: Literal["measured", "not_checked"]
    value: float | None = None
    low: float | None = None
    high: float | None = None
    baseline: float | None = None
    paired_low: float | None = None
    paired_high: float | None = None
    reason: str = ""
    of: int | None = None

    def __post_init__(self) -> None:
        if (self.state == "measured") != (self.value is not None):
            raise refused(f"the score {self.name[:40]!r}", "is measured without a value, or not")


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptScore:
    """How one prompt of the grid came out, and whether it is stable from seed to seed."""

    prompt: str
    mean: float
    low: float
    high: float
    stable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Layers:
    """Which layers a release changes."""

    targets: int = 0
    cross_attention: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Technical:
    """How the pictures were made."""

    steps: int = 0
    latent_size: tuple[int, ...] = ()
    layers: Layers = field(default_factory=Layers)
    kind: str = ""
    rank: int = 0
    mode: str = ""
    weight: float = 1.0
    hardware: str = ""
    dtype: str = ""
    libraries: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    sampler: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One of the six failure checks: how it stands, by whom."""

    state: CheckState = "not_checked"
    by: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyNote:
    """What the policy of a namespace asked of the channels of a pattern when a report was made."""

    pattern: str
    bounds: Mapping[str, float]

    def __post_init__(self) -> None:
        check_bounds(self.bounds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A report, drafted by the service and completed by people.

    Attributes:
        release: The release.
        against: What it was compared with; None for a first one.
        grid: Digest of the grid document.
        encoders: What measured.
        goal: What it is for.
        prompt_record: Prompts worth keeping.
        candidates: Its pictures.
        baseline: Pictures of `against`, of the same prompts and seeds: blind pairs come from these.
        scores: What was measured.
        prompts: Which prompts are stable.
        technical: How it was drawn.
        checks: The six failure checks; one that is not named is `not_checked`.
        verdict: What the measurement says.
        reasons: Why.
        outcome: What people made of it.
        drafted_by: Who or what drafted it.
        inputs: Hash of all that it rests on: what has the same one is the same evaluation.
        references: The published document that says what the release shall look like, if one did.
        training: The published document that says what it was trained on, if one did.
        edited_from: The document that this one is an edit of.
        policies: What the channel that it was made for asked for, by pattern; none: the verdict is
            by the bounds of the server alone.
        bounds: All bounds that the verdict is by.
        measurement: The figures that bounds are held against, and the server's own bounds.
    """

    kind: ClassVar[str] = "report"
    release: Subject
    grid: Digest
    verdict: Verdict
    against: Against | None = None
    encoders: tuple[EncoderNote, ...] = ()
    goal: Goal = field(default_factory=Goal)
    prompt_record: tuple[PromptNote, ...] = ()
    candidates: tuple[Candidate, ...] = ()
    baseline: tuple[Picture, ...] = ()
    scores: tuple[Score, ...] = ()
    prompts: tuple[PromptScore, ...] = ()
    technical: Technical = field(default_factory=Technical)
    checks: Mapping[str, Check] = field(default_factory=lambda: MappingProxyType({}))
    reasons: tuple[str, ...] = ()
    outcome: str = ""
    drafted_by: str = ""
    inputs: Digest | None = None
    references: Digest | None = None
    training: Digest | None = None
    edited_from: Digest | None = None
    policies: tuple[PolicyNote, ...] = ()
    bounds: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    measurement: Measurement | None = None

    def __post_init__(self) -> None:
        check_bounds(self.bounds)
        unknown = sorted(set(self.checks) - set(CHECKS))
        if unknown:
            raise refused("report.checks", f"knows no {unknown[0][:40]!r}: {', '.join(CHECKS)}")

    @property
    def blobs(self) -> tuple[Digest, ...]:
        """What it needs besides itself: the grid, and its pictures."""
        return (self.grid, *self.pictures)

    @property
    def pictures(self) -> tuple[Digest, ...]:
        """Its pictures, each once."""
        shown = [one.image for one in self.candidates] + [one.image for one in self.baseline]
        references = [one.reference for one in self.prompt_record if one.reference]
        return tuple(dict.fromkeys([*shown, *references]))
