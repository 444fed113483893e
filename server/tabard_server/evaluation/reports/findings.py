# SPDX-License-Identifier: Apache-2.0
"""From looks to scores, prompts, checks and a verdict: what a report says was measured. Pure.

What was not measured says why; it is never a pass.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tabard_registry.evidence.report import Check, PromptScore, Score, Verdict
from tabard_server.evaluation.cells import Side
from tabard_server.evaluation.looks import Encoders, SideLooks, Vectors
from tabard_server.judgement.pictures.sanity import fault_of
from tabard_server.judgement.scores.generalisation import (
    score_identifiability,
    score_share_alike,
    score_worst_prompt,
)
from tabard_server.judgement.scores.intervals import Interval, bound_without_failures
from tabard_server.judgement.scores.likeness import Likeness, likeness_to, score_likeness
from tabard_server.judgement.scores.overfitting import (
    Copies,
    find_copies,
    score_diversity,
    score_drift,
)
from tabard_server.judgement.scores.result import NotChecked, Result, Unchecked
from tabard_server.judgement.scores.result import Score as Measured
from tabard_server.judgement.verdict import (
    GatePolicy,
    Scores,
    judge,
    judge_prompts,
)
from tabard_server.judgement.verdict import Verdict as Judged

DRAFTER = "tabard evaluate"
"""Who has looked, where a check was drafted."""
_SEED = 20_260_101
"""Of the resampling: the same pictures have the same intervals."""
_REASONS = {
    "too_few_references": "there are fewer than four references",
    "not_seen": "the encoder cannot tell the references from the base's pictures",
    "prompts_not_seen": "the encoder cannot tell the base's pictures of one prompt from another's",
    "too_few_training_pictures": "there are fewer than four training pictures",
    "encoder_changed": "what was published are embeddings of another encoder",
    "one_seed": "seeds can be compared only where there are two",
}
_NO_SUBJECT = "no learned encoder sees subjects here"
_MEANS = {
    "style": "like the references: 0 as the base, 1 as the references among themselves",
    "subject": "like the nearest reference",
    "leak": "the style on prompts without the trigger",
    "worst_prompt": "the style on its worst prompt",
    "share_alike": "share of pictures that have the style",
    "identifiability": "draws what the prompt says: 0 by chance, 1 as the base",
    "diversity": "how much seeds differ, beside the base",
    "drift": "how far control prompts moved, in distances between seeds",
    "copies": "pictures that are nearly training pictures",
    "broken": "pictures without their contrast, or without numbers",
}


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
        has_trigger: Whether the release is woken by a word.
        is_subject: Whether it is for a subject.
    """

    sides: Mapping[Side, SideLooks]
    controls: Sequence[int]
    prompts: Sequence[str]
    references: Mapping[str, Vectors] | None
    training: Vectors | NotChecked | None
    has_trigger: bool
    is_subject: bool

    @property
    def scored(self) -> list[int]:
        """Places of the prompts that are scored."""
        return [place for place in range(len(self.prompts)) if place not in self.controls]


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What was measured, and what it says.

    Attributes:
        scores: Each once.
        prompts: How each scored prompt came out.
        checks: The failure checks that pictures can tell of.
        verdict: What the measurement says.
        reasons: Why.
    """

    scores: tuple[Score, ...]
    prompts: tuple[PromptScore, ...]
    checks: Mapping[str, Check]
    verdict: Verdict
    reasons: tuple[str, ...]


def find(sheet: Sheet, *, encoders: Encoders, policy: GatePolicy) -> Findings:
    """Score and judge a sheet."""
    like = _Likenesses(sheet, encoders=encoders)
    results = _results(sheet, like=like, encoders=encoders)
    copies, broken = results.copies, results.broken
    drift_of_against = _drift(sheet, Side.AGAINST, encoders=encoders)
    judgement = judge(results, policy=_no_worse(policy, drift_of_against))
    verdict, reasons = judgement.verdict, [f"{one.name}: {one.reason}" for one in judgement.gates]
    if sheet.is_subject and results.subject is None:
        reasons.append(f"subject: not checked: {_NO_SUBJECT}")
        verdict = Judged.INCONCLUSIVE if verdict is Judged.SUCCESS else verdict
    gates = {one.name: one.verdict for one in judgement.gates}
    named = {
        "style": (results.style, like.baseline("style")),
        "leak": (like.leak(), None),
        "worst_prompt": (results.worst_prompt, None),
        "share_alike": (like.share_alike(), None),
        "identifiability": (results.identifiability, _baseline_identifiability(sheet)),
        "diversity": (results.diversity, None),
        "drift": (results.drift, _value(drift_of_against)),
    }
    scores = [_score(name, result, baseline=base) for name, (result, base) in named.items()]
    subject = _score("subject", results.subject, baseline=like.baseline("subject"))
    if results.subject is None:
        subject = _unmeasured("subject", _NO_SUBJECT)
    scores += [subject, _counted("copies", copies), _broken(broken, results.pictures)]
    return Findings(
        scores=tuple(one for one in scores if one is not None),
        prompts=_prompts(sheet, results.style, policy=policy),
        checks=_checks(gates, copies=copies),
        verdict=_word(verdict),
        reasons=tuple(reasons),
    )


class _Likenesses:
    """How like their references pictures are, by style and by subject."""

    def __init__(self, sheet: Sheet, *, encoders: Encoders) -> None:
        self._sheet = sheet
        self._scales = {
            name: self._scale(name, is_learned=encoder.is_learned)
            for name, encoder in encoders.all.items()
            if name in ("style", "subject")
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
        """Score the style on its worst prompt."""
        return self._of_style(lambda cells: score_worst_prompt(cells, seed=_SEED))

    def share_alike(self) -> Result | None:
        """Score how many pictures have the style."""
        return self._of_style(lambda cells: score_share_alike(cells, seed=_SEED))

    def leak(self) -> Result | None:
        """Score the style where it was not asked for; None: there are no controls."""
        scale, sheet = self._scales["style"], self._sheet
        if not (sheet.controls and sheet.has_trigger):
            return None
        candidate = sheet.sides[Side.CANDIDATE].of("style", prompts=sheet.controls)
        return score_likeness(scale, candidate=candidate, stable=None, seed=_SEED)

    def _of_style(self, score: Any) -> Result | None:
        scale = self._scales["style"]
        if isinstance(scale, NotChecked):
            return scale
        candidate = self._grid(Side.CANDIDATE, "style")
        result: Result = score(scale.of(candidate))
        return result

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


def _results(sheet: Sheet, *, like: _Likenesses, encoders: Encoders) -> Scores:
    scored = sheet.scored
    candidate, base = sheet.sides[Side.CANDIDATE], sheet.sides[Side.BASE]
    against = sheet.sides.get(Side.AGAINST)
    copies: Copies | NotChecked | None = None
    if isinstance(sheet.training, NotChecked):
        copies = sheet.training
    elif sheet.training is not None:
        grid = candidate.of("copy", prompts=range(len(sheet.prompts)))
        copies = find_copies(grid, training=sheet.training, held_out=None)
    return Scores(
        style=like.score("style"),
        subject=like.score("subject"),
        worst_prompt=like.worst_prompt(),
        identifiability=score_identifiability(
            candidate.of("layout", prompts=scored),
            base=base.of("layout", prompts=scored),
            stable=None if against is None else against.of("layout", prompts=scored),
            seed=_SEED,
        ),
        copies=copies,
        diversity=score_diversity(
            candidate.of("style", prompts=scored),
            base=base.of("style", prompts=scored),
            is_learned=encoders.style.is_learned,
            seed=_SEED,
        ),
        drift=_drift(sheet, Side.CANDIDATE, encoders=encoders),
        broken=_broken_count(sheet),
        pictures=sum(map(len, candidate.soundness)),
    )


def _drift(sheet: Sheet, side: Side, *, encoders: Encoders) -> Result | None:
    """Score how far a side moved the controls; None: there are none, or no word that wakes it."""
    if side not in sheet.sides or not (sheet.has_trigger and sheet.controls):
        return None
    return score_drift(
        sheet.sides[side].of("style", prompts=sheet.controls),
        base=sheet.sides[Side.BASE].of("style", prompts=sheet.controls),
        is_learned=encoders.style.is_learned,
        seed=_SEED,
    )


def _no_worse(policy: GatePolicy, against: Result | None) -> GatePolicy:
    """Let a release move controls as far as what it would replace does: that is nothing new.

    A style that was trained to work unnamed moves them by design; its equal successor is no worse.
    """
    if not isinstance(against, Measured):
        return policy
    drift_max = max(policy.drift_max, against.interval.high)
    return policy.model_copy(update={"drift_max": drift_max})


def _broken_count(sheet: Sheet) -> int:
    against = sheet.sides.get(Side.AGAINST)
    count = 0
    for place, row in enumerate(sheet.sides[Side.CANDIDATE].soundness):
        for seed, ours in enumerate(row):
            base = sheet.sides[Side.BASE].soundness[place][seed]
            stable = None if against is None else against.soundness[place][seed]
            count += fault_of(ours, base=base, stable=stable) is not None
    return count


def _baseline_identifiability(sheet: Sheet) -> float | None:
    against = sheet.sides.get(Side.AGAINST)
    if against is None:
        return None
    found = score_identifiability(
        against.of("layout", prompts=sheet.scored),
        base=sheet.sides[Side.BASE].of("layout", prompts=sheet.scored),
        stable=None,
        seed=_SEED,
    )
    return _value(found)


def _value(result: Result | None) -> float | None:
    return result.interval.value if isinstance(result, Measured) else None


def _score(name: str, result: Result | None, *, baseline: float | None) -> Score | None:
    if result is None:
        return None
    if isinstance(result, NotChecked):
        return _unmeasured(name, _REASONS[result.reason])
    paired = result.paired
    return Score(
        name=name,
        state="measured",
        value=result.interval.value,
        low=result.interval.low,
        high=result.interval.high,
        baseline=baseline,
        paired_low=None if paired is None else paired.low,
        paired_high=None if paired is None else paired.high,
        reason=_MEANS[name],
    )


def _unmeasured(name: str, reason: str) -> Score:
    return Score(name=name, state="not_checked", reason=reason)


def _counted(name: str, copies: Copies | NotChecked | None) -> Score:
    if copies is None:
        return _unmeasured(name, "there are no training pictures")
    if isinstance(copies, NotChecked):
        return _unmeasured(name, _REASONS[copies.reason])
    return Score(name=name, state="measured", value=float(copies.number), reason=_MEANS[name])


def _broken(broken: int, pictures: int) -> Score:
    high = None if broken else bound_without_failures(pictures) * pictures
    low = None if broken else 0.0
    return Score(
        name="broken",
        state="measured",
        value=float(broken),
        low=low,
        high=high,
        reason=_MEANS["broken"],
    )


def _prompts(sheet: Sheet, style: Result | None, *, policy: GatePolicy) -> tuple[PromptScore, ...]:
    if not isinstance(style, Measured):
        return ()
    verdicts = judge_prompts(style.prompts, at_least=policy.style_min)
    return tuple(
        PromptScore(
            prompt=sheet.prompts[place],
            mean=one.value,
            **_finite(one),
            stable=verdict is Judged.SUCCESS,
        )
        for place, one, verdict in zip(sheet.scored, style.prompts, verdicts, strict=True)
    )


def _finite(interval: Interval) -> dict[str, float]:
    """Return the ends of an interval; one seed leaves them open, and a document has no infinity."""
    low, high = (float(np.clip(end, -1e6, 1e6)) for end in (interval.low, interval.high))
    return {"low": low, "high": high}


def _checks(gates: Mapping[str, Judged], *, copies: Copies | NotChecked | None) -> dict[str, Check]:
    """Draft the checks that pictures can tell of; the others are for people."""
    told = {"prompt_drift": "identifiability", "style_mismatch": "style", "artifact": "broken"}
    found = {}
    for check, gate in told.items():
        match gates.get(gate):
            case Judged.SUCCESS:
                found[check] = Check(state="clear", by=DRAFTER, note=gate)
            case Judged.FAILED:
                found[check] = Check(state="flagged", by=DRAFTER, note=gate)
    if isinstance(copies, Copies) and copies.number:
        note = f"{copies.number} pictures are nearly training pictures"
        found["copyright"] = Check(state="flagged", by=DRAFTER, note=note)
    return found


def _word(verdict: Judged) -> Verdict:
    words: dict[Judged, Verdict] = {
        Judged.SUCCESS: "Success",
        Judged.FAILED: "Failed",
        Judged.INCONCLUSIVE: "Inconclusive",
    }
    return words[verdict]
