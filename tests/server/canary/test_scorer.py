# SPDX-License-Identifier: Apache-2.0
"""Scores of single pairs, on painted pictures."""

import io
from collections.abc import Sequence

import numpy as np
import pytest
from PIL import Image

from tabard_server.canary.scorer import Calibration, calibrate, observe_pair
from tabard_server.evaluation.cells import Side
from tabard_server.evaluation.looks import Encoders, Look, look_at
from tabard_server.evaluation.plan import Pictures
from tabard_server.judgement.scores.result import NotChecked

SIZE = (64, 64)
ENCODERS = Encoders()


def png(seed: int, *, style: float = 0.0, other: int | None = None) -> bytes:
    """Return blocks that a seed places, in a style so strong; `other`: blocks of another prompt."""
    rng = np.random.default_rng(seed if other is None else other)
    blocks = rng.integers(0, 256, size=(8, 8, 3)).repeat(8, 0).repeat(8, 1)
    painted = blocks * (1 - 0.4 * style) + np.array((200, 40, 60)) * 0.4 * style
    file = io.BytesIO()
    Image.fromarray(painted.astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


def looks(*, style: float) -> dict[Side, Sequence[Look]]:
    """Look at a grid of the base and of a baseline in a style."""
    found: dict[Side, list[Look]] = {Side.AGAINST: [], Side.BASE: []}
    for seed in range(12):
        pngs = {Side.AGAINST: png(seed, style=style), Side.BASE: png(seed)}
        for side, look in look_at(pngs, size=SIZE, encoders=ENCODERS).items():
            found[side].append(look)
    return {side: tuple(some) for side, some in found.items()}


@pytest.fixture(scope="module")
def calibration() -> Calibration:
    """Return the scale of the style."""
    found = calibrate(looks(style=1.0), encoders=ENCODERS)
    assert isinstance(found, Calibration)
    return found


def test_style_that_nobody_sees_is_not_scored() -> None:
    """A baseline that draws as the base does gives no scale."""
    assert isinstance(calibrate(looks(style=0.0), encoders=ENCODERS), NotChecked)


def test_published_references_are_the_scale() -> None:
    """As pictures or embeddings: not what the baseline draws."""
    drawn, strong = looks(style=0.6), [png(seed, style=1.0) for seed in range(20, 26)]
    pixels = [np.asarray(Image.open(io.BytesIO(one))) for one in strong]
    vectors = {"style": ENCODERS.style.embed(pixels)}

    by_pixels, by_vectors, by_baseline = (
        calibrate(drawn, references=one, encoders=ENCODERS)
        for one in (Pictures(pixels=pixels), Pictures(vectors=vectors), Pictures())
    )

    for found in (by_pixels, by_vectors, by_baseline):
        assert isinstance(found, Calibration)
    assert np.array_equal(by_vectors.likeness.references, by_pixels.likeness.references)
    assert len(by_vectors.likeness.references) == len(strong)
    assert len(by_baseline.likeness.references) == len(drawn[Side.AGAINST])


@pytest.mark.parametrize(
    ("candidate", "low", "high"),
    [
        (png(99, style=1.0), -0.02, 0.02),
        (png(99, style=0.1), -9.0, -0.1),
        (png(99, style=1.0, other=7), -9.0, -0.1),
    ],
    ids=["equal", "style lost", "draws something else"],
)
def test_difference_says_what_is_worse(
    calibration: Calibration, candidate: bytes, low: float, high: float
) -> None:
    """Nothing, the style, or what is drawn: a score of style alone would miss the last."""
    pngs = {Side.CANDIDATE: candidate, Side.AGAINST: png(99, style=1.0), Side.BASE: png(99)}

    found = observe_pair("u", pngs, size=SIZE, calibration=calibration, encoders=ENCODERS)

    assert found.difference is not None
    assert low <= found.difference <= high


def test_broken_sides_are_told_apart(calibration: Calibration) -> None:
    """A picture that is flat, or that there is not, has no score."""
    grey = io.BytesIO()
    Image.new("RGB", SIZE, (128, 128, 128)).save(grey, "PNG")
    good, base = png(99, style=1.0), png(99)

    def judge(candidate: bytes | None, against: bytes | None) -> tuple[bool, bool]:
        pngs = {Side.CANDIDATE: candidate, Side.AGAINST: against, Side.BASE: base}
        found = observe_pair("u", pngs, size=SIZE, calibration=calibration, encoders=ENCODERS)
        assert found.difference is None
        return found.candidate_is_broken, found.baseline_is_broken

    assert judge(grey.getvalue(), good) == (True, False)
    assert judge(good, None) == (False, True)
    assert judge(None, None) == (True, True)
