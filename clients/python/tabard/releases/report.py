# SPDX-License-Identifier: Apache-2.0
"""What the intake says of a file, and what a publication answers.

Plain frozen values; they know nothing of protobuf or the network.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tabard.releases.release import Release, judged_as


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One reason why a file is refused, or a warning about it, with its remedy."""

    reason: str
    message: str
    remedy: str
    keys: tuple[str, ...]
    is_warning: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """How much of one kind of modules of the base a file changes.

    Attributes:
        component: `unet` or a text encoder.
        kind: `attention`, `feed_forward`, `projection`, `convolution`, `norm`, `bias` or `other`.
        changed: How many it changes.
        total: How many the base has.
    """

    component: str
    kind: str
    changed: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """What the intake says of a file against one base.

    Attributes:
        accepted: True when it would be published.
        kind: What it is; empty when that could not be told.
        dialect: Who wrote it.
        rank: Largest rank.
        target_count: Base layers it changes.
        tensor_count: Tensors in the file.
        tensors_applied: Tensors understood; equal to `tensor_count` when accepted.
        trigger_words: Found in the file or given.
        problems: Everything that is wrong, and warnings.
        resident_bytes: Memory it takes when resident.
        training: Metadata that the trainer left.
        mode: `rows` beside other adapters, or `merged` into a copy of the base; empty for neither.
        alphas: Every alpha that was resolved, smallest first; the first few.
        methods: Method to the number of layers it changes.
        coverage: What of the base is changed.
        base_family: Family of the base that it was checked against.
        base_fingerprint: Fingerprint of that base.
        base_match: What the file says of its own base: `same`, `family` or nothing; never proof.
        declared: The file's own words about its base.
        sampling: How the file says that it wants to be sampled; empty: it does not.
    """

    accepted: bool
    kind: str
    dialect: str
    rank: int
    target_count: int
    tensor_count: int
    tensors_applied: int
    trigger_words: tuple[str, ...]
    problems: tuple[Problem, ...]
    resident_bytes: int
    training: Mapping[str, str] = field(default_factory=dict)
    mode: str = ""
    alphas: tuple[float, ...] = ()
    methods: Mapping[str, int] = field(default_factory=dict)
    coverage: tuple[Coverage, ...] = ()
    base_family: str = ""
    base_fingerprint: str = ""
    base_match: str = ""
    declared: Mapping[str, str] = field(default_factory=dict)
    sampling: Mapping[str, Any] = field(default_factory=dict)

    @property
    def judged_as(self) -> str:
        """As what it would be judged, without a purpose; empty when its kind could not be told."""
        return judged_as(purpose="", kind=self.kind) if self.kind else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """The answer to a publish; `created` is False when the same bytes were there before.

    `untaken` names the words that were said and are not those of the release: `edit` takes them.
    """

    release: Release
    created: bool
    report: CheckReport
    untaken: tuple[str, ...] = ()
