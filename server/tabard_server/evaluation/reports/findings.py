# SPDX-License-Identifier: Apache-2.0
"""From looks to scores, prompts, checks and a verdict: what a report says was measured. Pure.

What was not measured says why; it is never a pass.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tabard_registry.evidence.report import Check, PromptScore, Score, Verdict
from tabard_registry.release.bounds import Bounds, Measurement
from tabard_server.evaluation.cells import Side
from tabard_server.evaluation.looks import Encoders, SideLooks, Vectors
from tabard_server.evaluation.reports.wording import (
    not_checked,
    told_broken,
    told_checks,
    told_copies,
    told_gate,
    told_prompts,
    told_score,
    told_verdict,
)
from tabard_server.judgement.pictures.sanity import fault_of
from tabard_server.judgement.scores.generalisation import (
    score_identifiability,
    score_share_alike,
    score_worst_prompt,
)
from tabard_server.judgement.scores.likeness import Likeness, likeness_to, score_likeness
from tabard_server.judgement.scores.overfitting import (
    Copies,
    find_copies,
    score_diversity,
    score_drift,
)
from tabard_server.judgement.scores.result import NotChecked, Result, Unchecked
from tabard_server.judgement.scores.result import Score as Measured
from tabard_server.judgement.verdict import GatePolicy, Scores, judge

_SEED = 20_260_101
"""Of the resampling: the same pictures have the same intervals."""
_NO_SUBJECT = "no learned encoder sees subjects here"
_OTHER_WEIGHT = "it was drawn at another weight than it is served with"
_NO_SUBJECT_ASKED = "it is asked only of releases that are for a subject"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """Everything that is judged.

    Attributes:
        sides: What each side drew.
        controls: Places of the control prompts.
        prompts: The prompts, as the release was asked.
        references: Of each encoder, or of those that there are embeddings of; None: what it would
            replace stands for them.
        training: Training pictures and their variants; None: there are none.
        works_unnamed: Why the release may act on prompts that name no word; empty: it shall not.
        is_subject: Whether it is for a subject.
        is_as_served: Whether it was drawn at the weight that it is served with.
    """

    sides: Mapping[Side, SideLooks]
    controls: Sequence[int]
    prompts: Sequence[str]
    references: Mapping[str, Vectors] | None
    training: Vectors | NotChecked | None
    works_unnamed: str
    is_subject: bool
    is_as_served: bool

    @property
    def scored(self) -> list[int]:
        """Places of the prompts that are scored."""
        return [place for place in range(len(self.prompts)) if place not in self.controls]

    @property
    def why_controls_are_free(self) -> str:
        """Say why nothing is asked of controls; empty: they shall look as the base draws them."""
        return self.works_unnamed or ("" if self.controls else "the grid has no control prompts")

    @property
    def contents(self) -> str:
        """What tells the prompts of a picture: who sees subjects, if prompts differ in these.

        A subject's grid has one subject in many places, which such an encoder may well not see.
        """
        base = self.sides[Side.BASE]
        if "subject" not in base.vectors:
            return "layout"
        drawn = base.of("subject", prompts=self.scored)
        told = score_identifiability(drawn, base=drawn, stable=None, seed=_SEED)
        return "subject" if isinstance(told, Measured) else "layout"


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What was measured, and what it says.

    Attributes:
        scores: Each once.
        prompts: How each scored prompt came out.
        checks: The failure checks that pictures can tell of.
        verdict: What the measurement says.
        reasons: Why.
        bounds: What that is judged by.
        measurement: The figures that bounds are held against.
    """

    scores: tuple[Score, ...]
    prompts: tuple[PromptScore, ...]
    checks: Mapping[str, Check]
    verdict: Verdict
    reasons: tuple[str, ...]
    bounds: Bounds
    measurement: Measurement


def find(
    sheet: Sheet, *, encoders: Encoders, policy: GatePolicy, bounds: Bounds | None = None
) -> Findings:
    """Score and judge a sheet: by the bounds of a channel if there are some, else the policy's."""
    asked: Bounds = {**policy.bounds, **(bounds or {})}
    like = _Likenesses(sheet, encoders=encoders)
    style = like.score("style")
    results = _results(sheet, style=style, like=like, encoders=encoders)
    copies, broken = results.copies, results.broken
    is_unseen = sheet.is_subject and results.subject is None
    unseen = {"subject": _NO_SUBJECT} if is_unseen else {}
    if not sheet.is_as_served:
        unseen["weight"] = _OTHER_WEIGHT
    judgement = judge(results, policy=policy, bounds=asked, unseen=unseen)
    gates = {one.name: one.verdict for one in judgement.gates}
    named = {
        "style": (style, like.baseline("style")),
        "leak": (like.leak(), None),
        "worst_prompt": (results.worst_prompt, like.worst_prompt_of_against()),
        "share_alike": (like.share_alike(), None),
        "identifiability": (results.identifiability, _baseline_identifiability(sheet)),
        "diversity": (results.diversity, _baseline_diversity(sheet)),
        "drift": (results.drift, _value(results.drift_of_stable)),
    }
    scores = [
        told_score(name, result, baseline=base) or not_checked(name, sheet.why_controls_are_free)
        for name, (result, base) in named.items()
    ]
    subject = told_score("subject", results.subject, baseline=like.baseline("subject"))
    why_no_subject = _NO_SUBJECT if sheet.is_subject else _NO_SUBJECT_ASKED
    scores += [subject or not_checked("subject", why_no_subject)]
    scores += [told_copies("copies", copies), told_broken(broken, results.pictures)]
    return Findings(
        scores=tuple(scores),
        prompts=told_prompts(
            [sheet.prompts[place] for place in sheet.scored],
            results.subject if like.main == "subject" else style,
            at_least=asked[f"{like.main}_min"],
        ),
        checks=told_checks(gates, copies=copies),
        verdict=told_verdict(judgement.verdict),
        reasons=tuple(told_gate(one) for one in judgement.gates),
        bounds=asked,
        measurement=judgement.measurement,
    )


class _Likenesses:
    """How like their references pictures are: by style, and of a subject's release by subject.

    Attributes:
        main: What the release is for. Where somebody sees subjects, a release for one may look as
            the base does otherwise: its style makes no gate.
    """

    def __init__(self, sheet: Sheet, *, encoders: Encoders) -> None:
        self._sheet = sheet
        asked = {"style": encoders.style}
        if sheet.is_subject and encoders.subject is not None:
            asked["subject"] = encoders.subject
        self.main = "subject" if "subject" in asked else "style"
        self._scales = {
            name: self._scale(name, is_learned=encoder.is_learned)
            for name, encoder in asked.items()
        }

    def score(self, name: str) -> Result | None:
        """Score the candidate; None: nobody looks at that."""
        if name not in self._scales:
            return None
        candidate, against = (self._grid(side, name) for side in (Side.CANDIDATE, Side.AGAINST))
        assert candidate is not None
        return score_likeness(self._scales[name], candidate=candidate, stable=against, seed=_SEED)

    def baseline(self, name: str) -> float | None:
        """Return the score of what it would replace."""
        scale = self._scales.get(name)
        if not isinstance(scale, Likeness):
            return None
        against = self._grid(Side.AGAINST, name)
        return None if against is None else float(scale.of(against).mean())

    def worst_prompt(self) -> Result | None:
        """Score the likeness on its worst prompt."""
        scale, against = self._scales[self.main], self._grid(Side.AGAINST, self.main)
        if isinstance(scale, NotChecked):
            return scale
        return score_worst_prompt(
            scale.of(self._grid(Side.CANDIDATE, self.main)),
            stable=None if against is None else scale.of(against),
            seed=_SEED,
        )

    def worst_prompt_of_against(self) -> float | None:
        """Return the same of what it would replace."""
        scale, against = self._scales[self.main], self._grid(Side.AGAINST, self.main)
        if isinstance(scale, NotChecked) or against is None:
            return None
        return score_worst_prompt(scale.of(against), seed=_SEED).interval.value

    def share_alike(self) -> Result | None:
        """Score how many pictures are like the references."""
        scale = self._scales[self.main]
        if isinstance(scale, NotChecked):
            return scale
        return score_share_alike(scale.of(self._grid(Side.CANDIDATE, self.main)), seed=_SEED)

    def leak(self) -> Result | None:
        """Score the style where it was not asked for; None: nothing is asked of controls."""
        scale, sheet = self._scales["style"], self._sheet
        if sheet.why_controls_are_free:
            return None
        candidate = sheet.sides[Side.CANDIDATE].of("style", prompts=sheet.controls)
        return score_likeness(scale, candidate=candidate, stable=None, seed=_SEED)

    def _grid(self, side: Side, name: str) -> Any:
        looks = self._sheet.sides.get(side)
        return None if looks is None else looks.of(name, prompts=self._sheet.scored)

    def _scale(self, name: str, *, is_learned: bool) -> Likeness | NotChecked:
        given = self._sheet.references
        if given is not None and name not in given:
            return NotChecked(reason=Unchecked.ENCODER_CHANGED)
        if given is None:
            drawn = self._grid(Side.AGAINST, name)
            references = drawn.reshape(-1, drawn.shape[-1])
        else:
            references = given[name]
        base = self._grid(Side.BASE, name)
        is_nearest = name == "subject"
        return likeness_to(references, base=base, is_learned=is_learned, is_nearest=is_nearest)


def _results(
    sheet: Sheet, *, style: Result | None, like: _Likenesses, encoders: Encoders
) -> Scores:
    scored, contents = sheet.scored, sheet.contents
    candidate, base = sheet.sides[Side.CANDIDATE], sheet.sides[Side.BASE]
    against = sheet.sides.get(Side.AGAINST)
    copies: Copies | NotChecked | None = None
    if isinstance(sheet.training, NotChecked):
        copies = sheet.training
    elif sheet.training is not None:
        grid = candidate.of("copy", prompts=range(len(sheet.prompts)))
        copies = find_copies(grid, training=sheet.training, held_out=None)
    return Scores(
        style=style if like.main == "style" else None,
        subject=like.score("subject"),
        worst_prompt=like.worst_prompt(),
        identifiability=score_identifiability(
            candidate.of(contents, prompts=scored),
            base=base.of(contents, prompts=scored),
            stable=None if against is None else against.of(contents, prompts=scored),
            seed=_SEED,
        ),
        copies=copies,
        diversity=score_diversity(
            candidate.of(contents, prompts=scored),
            base=base.of(contents, prompts=scored),
            stable=None if against is None else against.of(contents, prompts=scored),
            seed=_SEED,
        ),
        drift=_drift(sheet, Side.CANDIDATE, encoders=encoders),
        drift_of_stable=_drift(sheet, Side.AGAINST, encoders=encoders),
        broken=_broken_count(sheet),
        pictures=sum(map(len, candidate.soundness)),
    )


def _drift(sheet: Sheet, side: Side, *, encoders: Encoders) -> Result | None:
    """Score how far a side moved the controls; None: nothing is asked of them."""
    if side not in sheet.sides or sheet.why_controls_are_free:
        return None
    against = sheet.sides.get(Side.AGAINST) if side is Side.CANDIDATE else None
    return score_drift(
        sheet.sides[side].of("texture", prompts=sheet.controls),
        base=sheet.sides[Side.BASE].of("texture", prompts=sheet.controls),
        stable=None if against is None else against.of("texture", prompts=sheet.controls),
        is_learned=encoders.texture.is_learned,
        seed=_SEED,
    )


def _broken_count(sheet: Sheet) -> int:
    against = sheet.sides.get(Side.AGAINST)
    count = 0
    for place, row in enumerate(sheet.sides[Side.CANDIDATE].soundness):
        for seed, ours in enumerate(row):
            base = sheet.sides[Side.BASE].soundness[place][seed]
            stable = None if against is None else against.soundness[place][seed]
            count += fault_of(ours, base=base, stable=stable) is not None
    return count


def _baseline_diversity(sheet: Sheet) -> float | None:
    against = sheet.sides.get(Side.AGAINST)
    if against is None:
        return None
    found = score_diversity(
        against.of(sheet.contents, prompts=sheet.scored),
        base=sheet.sides[Side.BASE].of(sheet.contents, prompts=sheet.scored),
        seed=_SEED,
    )
    return _value(found)


def _baseline_identifiability(sheet: Sheet) -> float | None:
    against = sheet.sides.get(Side.AGAINST)
    if against is None:
        return None
    found = score_identifiability(
        against.of(sheet.contents, prompts=sheet.scored),
        base=sheet.sides[Side.BASE].of(sheet.contents, prompts=sheet.scored),
        stable=None,
        seed=_SEED,
    )
    return _value(found)


def _value(result: Result | None) -> float | None:
    return result.interval.value if isinstance(result, Measured) else None
