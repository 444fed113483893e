# SPDX-License-Identifier: Apache-2.0
"""Pairs of pictures to choose between: candidate and baseline, of one prompt and seed. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from tabard_registry.evidence.report import Report
from tabard_registry.refs.digest import Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two pictures of one prompt and seed.

    Attributes:
        prompt: Place of the prompt in the grid.
        seed: The seed.
        candidate: What the release drew.
        baseline: What the release drew that it was compared with.
    """

    prompt: int
    seed: int
    candidate: Digest
    baseline: Digest

    @property
    def pictures(self) -> tuple[Digest, Digest]:
        """Both, in an order that has nothing to do with who drew them."""
        first, second = sorted((self.candidate, self.baseline), key=str)
        return first, second

    @property
    def name(self) -> str:
        """What the log calls it: the same in every report that shows these two pictures."""
        return hashlib.sha256("\n".join(map(str, self.pictures)).encode()).hexdigest()


def pairs_of(report: Report) -> tuple[Pair, ...]:
    """Return the pairs of a report, each once; where both pictures are one, there is no choice."""
    baseline = {(one.prompt, one.seed): one.image for one in report.baseline}
    found = (
        Pair(
            prompt=one.prompt,
            seed=one.seed,
            candidate=one.image,
            baseline=baseline[one.prompt, one.seed],
        )
        for one in report.candidates
        if (one.prompt, one.seed) in baseline
    )
    known: dict[str, Pair] = {}
    for one in found:
        if one.candidate != one.baseline:
            known.setdefault(one.name, one)
    return tuple(known.values())


def name_of_pairs(pairs: Iterable[Pair]) -> str:
    """Name a set of pairs: what a report and its edits have in common."""
    return hashlib.sha256("\n".join(sorted(one.name for one in pairs)).encode()).hexdigest()
