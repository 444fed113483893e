# SPDX-License-Identifier: Apache-2.0
"""What a report says was measured, of pictures that were planted."""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tabard_server.evaluation.cells import Side
from tabard_server.evaluation.looks import (
    Encoders,
    Look,
    SideLooks,
    gathered,
    look_at_training,
)
from tabard_server.evaluation.reports.findings import Findings, Sheet, find
from tabard_server.evaluation.reports.wording import DRAFTER
from tabard_server.judgement.pictures.sanity import Soundness
from tabard_server.judgement.scores.result import NotChecked, Unchecked
from tabard_server.judgement.verdict import GatePolicy
from tests.server.judgement.drawn import picture

ENCODERS = Encoders()
PROMPTS, CONTROLS, SEEDS = 12, 2, 4
Draw = Callable[[int, int], np.ndarray]


def base(prompt: int, seed: int) -> np.ndarray:
    """Draw the discs of a prompt, in the light of a seed."""
    light = np.random.default_rng([prompt, seed]).uniform(-40, 40, 3)
    return np.clip(picture(prompt) + light, 0, 255).astype(np.uint8)


def styled(prompt: int, seed: int) -> np.ndarray:
    """Draw the same on yellow paper; controls as the base does."""
    paper = (1.1, 1.0, 0.35) if prompt < PROMPTS else (1, 1, 1)
    return np.clip(base(prompt, seed) * paper, 0, 255).astype(np.uint8)


def black(prompt: int, seed: int) -> np.ndarray:
    """Draw as styled, and nothing at all twice."""
    return styled(prompt, seed) * (0 if (prompt, seed) in {(0, 0), (3, 1)} else 1)


def looks(draw: Draw, *, seeds: int = SEEDS) -> SideLooks:
    """Look at all that a side drew."""
    cells = itertools.product(range(PROMPTS + CONTROLS), range(seeds))
    pictures = {cell: draw(*cell) for cell in cells}
    vectors = {name: one.embed(list(pictures.values())) for name, one in ENCODERS.all.items()}
    return gathered(
        {
            cell: Look(
                vectors={name: found[place] for name, found in vectors.items()},
                soundness=Soundness.of(pictures[cell], is_finite=True),
            )
            for place, cell in enumerate(pictures)
        }
    )


BASE, STYLED = looks(base), looks(styled)
REFERENCES = ENCODERS.embed([styled(n % PROMPTS, 9 + n) for n in range(8)])


def sheet(candidate: SideLooks = STYLED, **changes: Any) -> Sheet:
    """Return a sheet of a style without references, beside an equal one in service."""
    said: dict[str, Any] = {
        "sides": {Side.CANDIDATE: candidate, Side.AGAINST: STYLED, Side.BASE: BASE},
        "controls": range(PROMPTS, PROMPTS + CONTROLS),
        "prompts": [f"prompt {n}" for n in range(PROMPTS + CONTROLS)],
        "references": None,
        "training": None,
        "works_unnamed": "",
        "is_subject": False,
        "is_as_served": True,
    }
    return Sheet(**{**said, **changes})


def findings(of: Sheet, **policy: Any) -> Findings:
    """Judge a sheet."""
    return find(of, encoders=ENCODERS, policy=GatePolicy(**policy))


def scores(found: Findings) -> dict[str, Any]:
    """Return scores by name."""
    return {one.name: one for one in found.scores}


def test_equal_release_is_a_success() -> None:
    """Every score is there, with its interval, its meaning and what it would replace."""
    found = findings(sheet())

    style = scores(found)["style"]
    assert found.verdict == "Success"
    assert style.value == pytest.approx(style.baseline)
    assert style.low < style.value < style.high
    assert (style.paired_low, style.paired_high) == (0, 0)
    assert scores(found)["drift"].value == pytest.approx(0)
    assert scores(found)["leak"].value < 0.2
    assert len(found.prompts) == PROMPTS
    assert all(one.low <= one.mean <= one.high for one in found.prompts)
    assert all(one.reason for one in found.scores)


def test_absent_style_fails() -> None:
    """What draws as the base does has lost it, whatever else is fine; people are told how."""
    found = findings(sheet(BASE))

    assert found.verdict == "Failed"
    assert found.checks["style_mismatch"].state == "flagged"
    assert found.checks["artifact"].state == "clear"
    assert {one.by for one in found.checks.values()} == {DRAFTER}
    assert sum(one.stable for one in found.prompts) < PROMPTS / 4


def test_broken_pictures_fail() -> None:
    """Two that lost their contrast are enough."""
    found = findings(sheet(looks(black)))

    assert (scores(found)["broken"].value, scores(found)["broken"].of) == (
        2,
        (PROMPTS + CONTROLS) * SEEDS,
    )
    assert found.verdict == "Failed"
    assert found.checks["artifact"].state == "flagged"


def test_checks_of_people_are_left_to_them() -> None:
    """No picture says whether somebody agreed to be shown."""
    assert not {"portrait", "review_failure", "copyright"} & set(findings(sheet()).checks)


def test_subject_needs_a_learned_encoder() -> None:
    """What nobody here can see is never a success."""
    found = findings(sheet(is_subject=True))

    assert found.verdict == "Inconclusive"
    assert scores(found)["subject"].state == "not_checked"
    assert any(reason.startswith("subject: not checked") for reason in found.reasons)


def test_success_at_another_weight_is_none() -> None:
    """It says nothing of what callers are served; a failure stays one."""
    found = findings(sheet(is_as_served=False))

    assert found.verdict == "Inconclusive"
    assert any(reason.startswith("weight: ") for reason in found.reasons)
    assert findings(sheet(BASE, is_as_served=False)).verdict == "Failed"


def test_copies_are_for_people() -> None:
    """A training picture that comes back flags the check of copyright."""
    pictures = [styled(n, 0) for n in range(4)]
    found = findings(sheet(training=look_at_training(pictures, encoders=ENCODERS)))

    assert scores(found)["copies"].value >= 4
    assert found.checks["copyright"].state == "flagged"
    assert found.verdict == "Inconclusive"


def test_published_references_are_the_scale() -> None:
    """They say what the style is, not what is in service."""
    found = findings(sheet(references=REFERENCES))

    assert scores(found)["style"].value > 0.5
    assert scores(findings(sheet(BASE, references=REFERENCES)))["style"].value < 0.2


def test_other_encoders_numbers_are_not_compared() -> None:
    """Where there are only those, nothing stands for them: it is not checked, and no success."""
    changed = NotChecked(reason=Unchecked.ENCODER_CHANGED)
    by_references = findings(sheet(references={"subject": REFERENCES["style"]}))
    by_training = findings(sheet(training=changed))

    for found, name in ((by_references, "style"), (by_training, "copies")):
        assert scores(found)[name].state == "not_checked"
        assert "another encoder" in scores(found)[name].reason
        assert found.verdict == "Inconclusive"


def test_drift_is_no_worse_than_what_is_served() -> None:
    """A style that works unnamed moves the controls by design, and so does its successor."""

    def unnamed(prompt: int, seed: int) -> np.ndarray:
        return styled(prompt % PROMPTS, seed)

    everywhere = looks(unnamed)
    sides = {Side.CANDIDATE: everywhere, Side.AGAINST: everywhere, Side.BASE: BASE}
    alone = {Side.CANDIDATE: everywhere, Side.BASE: BASE}

    beside_equal = findings(sheet(sides=sides))
    first = findings(sheet(sides=alone, references=REFERENCES))

    assert scores(beside_equal)["drift"].value > GatePolicy().drift_max
    assert beside_equal.verdict == "Success"
    assert first.verdict == "Failed"
    assert any(reason.startswith("drift") for reason in first.reasons)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"works_unnamed": "a member works unnamed: acme/ink 1.0.0"}, "acme/ink 1.0.0"),
        ({"controls": range(0)}, "no control prompts"),
    ],
)
def test_drift_is_not_asked_of_what_works_unnamed(changes: dict[str, Any], why: str) -> None:
    """Nothing says that it sleeps: drift and leak stand there, not checked, and make no gate."""

    def unnamed(prompt: int, seed: int) -> np.ndarray:
        return styled(prompt % PROMPTS, seed)

    found = findings(sheet(looks(unnamed), references=REFERENCES, **changes))

    for name in ("drift", "leak"):
        assert scores(found)[name].state == "not_checked"
        assert why in scores(found)[name].reason
    assert not any(reason.startswith("drift") for reason in found.reasons)


def test_one_seed_leaves_no_infinity() -> None:
    """A document holds no infinite number; with one seed an interval is wide, not endless."""
    sides = {
        side: looks(draw, seeds=1)
        for side, draw in ((Side.CANDIDATE, styled), (Side.AGAINST, styled), (Side.BASE, base))
    }

    found = findings(sheet(sides=sides))

    ends = [end for one in found.prompts for end in (one.low, one.high)]
    assert np.isfinite(ends).all()
    assert scores(found)["diversity"].state == "not_checked"
    assert found.verdict == "Inconclusive"
