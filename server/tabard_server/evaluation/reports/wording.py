# SPDX-License-Identifier: Apache-2.0
"""What was measured in the words of a report: scores, prompts, checks, a verdict. Pure.

What was not measured says why; it is never a pass.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from tabard_registry.evidence.report import Check, PromptScore, Score, Verdict
from tabard_server.judgement.scores.intervals import Interval, bound_without_failures
from tabard_server.judgement.scores.overfitting import Copies
from tabard_server.judgement.scores.result import NotChecked, Result
from tabard_server.judgement.scores.result import Score as Measured
from tabard_server.judgement.verdict import Gate, judge_prompts
from tabard_server.judgement.verdict import Verdict as Judged

DRAFTER = "tabard evaluate"
"""Who has looked, where a check was drafted."""
_ANSWERS = {
    Judged.SUCCESS: "holds",
    Judged.FAILED: "missed",
    Judged.INCONCLUSIVE: "undecided",
}
_MEANS = {
    "style": "like the references: 0 as the base, 1 as the references among themselves",
    "subject": "like the nearest reference",
    "leak": "the style on prompts without the trigger",
    "worst_prompt": "the likeness on its worst prompt",
    "share_alike": "share of pictures that are like the references",
    "identifiability": "draws what the prompt says: 0 by chance, 1 as the base",
    "diversity": "how far seeds are apart, beside the base",
    "drift": "how far control prompts moved, in distances between seeds",
    "copies": "pictures that are nearly training pictures",
    "broken": "pictures without their contrast, or without numbers",
}


def told_score(name: str, result: Result | None, *, baseline: float | None) -> Score | None:
    """Tell a score beside that of what would be replaced; None: it was not asked for."""
    if result is None:
        return None
    if isinstance(result, NotChecked):
        return not_checked(name, result.words)
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


def told_gate(gate: Gate) -> str:
    """Tell what a bound asks for, and whether it was met."""
    return f"{gate.name}: {gate.reason}: {_ANSWERS[gate.verdict]}"


def not_checked(name: str, reason: str) -> Score:
    """Tell a score that was not taken, and why."""
    return Score(name=name, state="not_checked", reason=reason)


def told_copies(name: str, copies: Copies | NotChecked | None) -> Score:
    """Tell how many pictures are nearly training pictures."""
    if copies is None:
        return not_checked(name, "there are no training pictures")
    if isinstance(copies, NotChecked):
        return not_checked(name, copies.words)
    return Score(
        name=name,
        state="measured",
        value=float(copies.number),
        reason=_MEANS[name],
        of=copies.cells.size,
    )


def told_broken(broken: int, pictures: int) -> Score:
    """Tell how many pictures are broken; of none, how many there may be all the same."""
    high = None if broken else bound_without_failures(pictures) * pictures
    low = None if broken else 0.0
    return Score(
        name="broken",
        state="measured",
        value=float(broken),
        low=low,
        high=high,
        reason=_MEANS["broken"],
        of=pictures,
    )


def told_prompts(
    prompts: Sequence[str], likeness: Result | None, *, at_least: float
) -> tuple[PromptScore, ...]:
    """Tell of each prompt how like the references its pictures are, and whether all of them."""
    if not isinstance(likeness, Measured):
        return ()
    stable = judge_prompts(likeness.prompts, at_least=at_least)
    return tuple(
        PromptScore(prompt=prompt, mean=one.value, **_finite(one), stable=is_stable)
        for prompt, one, is_stable in zip(prompts, likeness.prompts, stable, strict=True)
    )


def told_checks(
    gates: Mapping[str, Judged], *, copies: Copies | NotChecked | None
) -> dict[str, Check]:
    """Draft the checks that pictures can tell of; the others are for people."""
    told = {"prompt_drift": "identifiability", "style_mismatch": "style", "artifact": "broken"}
    found = {}
    for check, gate in told.items():
        # What is good enough alone may still be far worse than what it would replace.
        asked = {one: gates[one] for one in (gate, f"{gate}_against_stable") if one in gates}
        failed = [one for one, verdict in asked.items() if verdict is Judged.FAILED]
        if failed:
            found[check] = Check(state="flagged", by=DRAFTER, note=", ".join(failed))
        elif asked and all(verdict is Judged.SUCCESS for verdict in asked.values()):
            found[check] = Check(state="clear", by=DRAFTER, note=gate)
    if isinstance(copies, Copies) and copies.number:
        note = f"{copies.number} pictures are nearly training pictures"
        found["copyright"] = Check(state="flagged", by=DRAFTER, note=note)
    return found


def told_verdict(verdict: Judged) -> Verdict:
    """Tell a verdict as reports write it."""
    words: dict[Judged, Verdict] = {
        Judged.SUCCESS: "Success",
        Judged.FAILED: "Failed",
        Judged.INCONCLUSIVE: "Inconclusive",
    }
    return words[verdict]


def _finite(interval: Interval) -> dict[str, float]:
    """Return the ends of an interval; one seed leaves them open, and a document has no infinity."""
    low, high = (float(np.clip(end, -1e6, 1e6)) for end in (interval.low, interval.high))
    return {"low": low, "high": high}
