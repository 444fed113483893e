# SPDX-License-Identifier: Apache-2.0
"""Scores one pair: a candidate's picture, its baseline's and the base's, of one prompt and seed.

In: PNG files, and a calibration that was drawn before. Out: an observation. Knows no registry, no
queue. Computes; a thread of its own.

The score of a picture is the mean of two: how much of the style it has (0 as the base, 1 as the
references), and how much of the base's layout, which says whether it still draws the prompt. Style
alone does not see a release that is overcooked: measured on the demo base, at weight 1.6 it lost 11
pairs and won 8, while of the layout it lost 27 and won none.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tabard_registry.release.canary import PAIR, Observation
from tabard_server.engine_port.drawing import Size
from tabard_server.evaluation.cells import Side
from tabard_server.evaluation.looks import Encoders, Look, look_at
from tabard_server.evaluation.plan import NO_PICTURES, Pictures
from tabard_server.judgement.pictures.sanity import fault_of
from tabard_server.judgement.scores.likeness import Likeness, likeness_to
from tabard_server.judgement.scores.result import NotChecked


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What a style is, between the base's pictures and its references."""

    likeness: Likeness


def calibrate(
    looks: Mapping[Side, Sequence[Look]],
    *,
    references: Pictures = NO_PICTURES,
    encoders: Encoders,
) -> Calibration | NotChecked:
    """Build the scale of a style, or say why its encoder cannot see it.

    Args:
        looks: At the base's pictures and the baseline's, of prompts of a grid.
        references: What was published, pictures or their embeddings; none: the baseline's pictures.
        encoders: What looks.
    """
    base = np.stack([one.vectors["style"] for one in looks[Side.BASE]])
    if "style" in references.vectors:
        wanted = references.vectors["style"]
    elif references.pixels:
        wanted = encoders.style.embed(list(references.pixels))
    else:
        wanted = np.stack([one.vectors["style"] for one in looks[Side.AGAINST]])
    found = likeness_to(wanted, base=base, is_learned=encoders.style.is_learned, is_nearest=False)
    return found if isinstance(found, NotChecked) else Calibration(likeness=found)


def observe_pair(
    unit: str,
    pngs: Mapping[Side, bytes | None],
    *,
    size: Size,
    calibration: Calibration,
    encoders: Encoders,
) -> Observation:
    """Judge a pair.

    Args:
        unit: What it is counted under.
        pngs: A picture of each side; None: its latents became NaN or infinite.
        size: Of the pictures.
        calibration: What the style is.
        encoders: What looks.
    """
    looks = look_at(pngs, size=size, encoders=encoders)
    sound = {side: look.soundness for side, look in looks.items()}
    base = sound[Side.BASE]
    candidate = fault_of(sound[Side.CANDIDATE], base=base, stable=sound[Side.AGAINST])
    against = fault_of(sound[Side.AGAINST], base=base, stable=sound[Side.CANDIDATE])
    difference: float | None = None
    if candidate is None and against is None:
        difference = _score(looks, Side.CANDIDATE, calibration=calibration)
        difference -= _score(looks, Side.AGAINST, calibration=calibration)
    return Observation(
        kind=PAIR,
        unit=unit,
        difference=difference,
        candidate_is_broken=candidate is not None,
        baseline_is_broken=against is not None,
    )


def _score(looks: Mapping[Side, Look], side: Side, *, calibration: Calibration) -> float:
    style = float(calibration.likeness.of(looks[side].vectors["style"]))
    layout, base = looks[side].vectors["layout"], looks[Side.BASE].vectors["layout"]
    lengths = float(np.linalg.norm(layout) * np.linalg.norm(base))
    return (style + float(layout @ base) / max(lengths, 1e-12)) / 2
