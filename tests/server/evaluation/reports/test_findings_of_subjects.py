# SPDX-License-Identifier: Apache-2.0
"""A gate about a subject is made by a learned encoder alone, and for a subject's release alone."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from tabard_server.evaluation.cells import Side
from tabard_server.evaluation.looks import Encoders, SideLooks
from tabard_server.evaluation.reports.findings import Findings, Sheet, find
from tabard_server.judgement.pictures.encoder import EncoderKind, Picture, Vectors
from tabard_server.judgement.pictures.sanity import Soundness
from tabard_server.judgement.verdict import GatePolicy

RNG = np.random.default_rng(11)
PROMPTS, SEEDS, NUMBERS = 12, 4, 24
SOUND = Soundness(is_finite=True, contrast=0.3, clipped_share=0.0)
SCENES = RNG.normal(0, 1, (PROMPTS, 1, NUMBERS))
LOOK, THING = RNG.normal(0, 3, NUMBERS), RNG.normal(0, 3, NUMBERS)


@dataclass(frozen=True)
class Learned:
    """An encoder that is never asked: vectors are planted."""

    kind: EncoderKind = EncoderKind.SUBJECT
    name: str = "mine"
    digest: str = "c" * 64
    is_learned: bool = True

    def embed(self, pictures: list[Picture]) -> Vectors:
        raise AssertionError("nothing is looked at here")


def drawn(*, style: float, subject: float) -> SideLooks:
    """Plant a side with so much of a style and of a subject."""

    def vectors(amount: float, direction: np.ndarray) -> np.ndarray:
        noise = RNG.normal(0, 0.3, (PROMPTS, SEEDS, NUMBERS))
        return (SCENES + noise + amount * direction).astype(np.float32)

    return SideLooks(
        vectors={
            "style": vectors(style, LOOK),
            "subject": vectors(subject, THING),
            "layout": vectors(0.0, LOOK),
            "texture": vectors(style, LOOK),
        },
        soundness=[[SOUND] * SEEDS] * PROMPTS,
    )


def sheet_of(sides: dict[Side, SideLooks], *, is_subject: bool = True) -> Sheet:
    return Sheet(
        sides=sides,
        controls=(),
        prompts=[f"prompt {number}" for number in range(PROMPTS)],
        references=None,
        training=None,
        works_unnamed="",
        is_subject=is_subject,
        is_as_served=True,
    )


def findings(candidate: SideLooks, *, is_subject: bool, is_seen: bool = True) -> Findings:
    reference = drawn(style=0.0, subject=1.0) if is_subject else drawn(style=1.0, subject=0.0)
    sides = {
        Side.CANDIDATE: candidate,
        Side.AGAINST: reference,
        Side.BASE: drawn(style=0.0, subject=0.0),
    }
    encoders = Encoders(style=Learned(kind=EncoderKind.STYLE), subject=Learned())
    return find(
        sheet_of(sides, is_subject=is_subject),
        encoders=encoders if is_seen else replace(encoders, subject=None),
        policy=GatePolicy(),
    )


def state(found: Findings, name: str) -> str:
    return next(one.state for one in found.scores if one.name == name)


def test_subject_that_is_there_succeeds() -> None:
    """Though its style is the base's own, which no encoder of style can tell from it."""
    found = findings(drawn(style=0.0, subject=1.0), is_subject=True)

    assert (found.verdict, state(found, "subject")) == ("Success", "measured")
    assert state(found, "style") == "not_checked"
    assert len(found.prompts) == PROMPTS


def test_subject_that_is_gone_fails() -> None:
    """Whatever its style."""
    found = findings(drawn(style=1.0, subject=0.0), is_subject=True)

    assert found.verdict == "Failed"
    assert any(one.startswith("subject: ") for one in found.reasons)


def test_subject_without_a_learned_encoder_is_left_to_people() -> None:
    """The fallback's layout makes no gate about it."""
    found = findings(drawn(style=0.0, subject=1.0), is_subject=True, is_seen=False)

    assert (found.verdict, state(found, "subject")) == ("Inconclusive", "not_checked")
    assert not any(one.startswith("subject_against_stable") for one in found.reasons)


def test_prompts_are_told_by_who_can_tell_them() -> None:
    """One subject in many places: where it sees no difference, the layout tells the prompts."""
    seeing = drawn(style=0.0, subject=1.0)
    blind = {**seeing.vectors, "subject": np.ones((PROMPTS, SEEDS, NUMBERS), dtype=np.float32)}
    sides = {Side.BASE: replace(seeing, vectors=blind), Side.CANDIDATE: seeing}

    assert sheet_of(sides | {Side.BASE: seeing}).contents == "subject"
    assert sheet_of(sides).contents == "layout"


@pytest.mark.parametrize(("style", "verdict"), [(1.0, "Success"), (0.0, "Failed")])
def test_style_is_asked_nothing_of_its_subject(style: float, verdict: str) -> None:
    """An encoder of subjects that cannot see a style would stop every release of one."""
    found = findings(drawn(style=style, subject=0.0), is_subject=False)

    assert (found.verdict, state(found, "subject")) == (verdict, "not_checked")
    assert not any(one.startswith("subject") for one in found.reasons)
