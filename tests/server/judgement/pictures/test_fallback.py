# SPDX-License-Identifier: Apache-2.0
"""The encoders without weights."""

import numpy as np

from tabard_server.judgement.pictures.fallback import CopyFallback, LayoutFallback, StyleFallback
from tests.server.judgement.drawn import picture


def cosine(one: np.ndarray, other: np.ndarray) -> float:
    return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))


def test_layout_sees_past_colour() -> None:
    """The same discs in other colours are nearer than other discs."""
    drawn = picture(1)

    same, recoloured, other = LayoutFallback().embed([drawn, drawn[..., ::-1], picture(2)])

    assert cosine(same, recoloured) > cosine(same, other) + 0.2


def test_style_sees_past_layout() -> None:
    """A picture turned about keeps its style; one of other colours does not."""
    drawn = picture(1)

    same, turned, tinted = StyleFallback().embed([drawn, drawn[::-1], 255 - drawn])

    assert cosine(same, turned) > 0.95
    assert cosine(same, tinted) < cosine(same, turned) - 0.1


def test_flat_and_tiny_pictures_have_vectors() -> None:
    """Nothing divides by their contrast, and sizes may differ within a batch."""
    pictures = [np.zeros((64, 64, 3), np.uint8), np.full((7, 9, 3), 255, np.uint8)]
    for encoder in (StyleFallback(), LayoutFallback(), CopyFallback()):
        vectors = encoder.embed(pictures)

        assert vectors.dtype == np.float32
        assert np.isfinite(vectors).all()


def test_digests_differ_and_stay() -> None:
    """Scores of different encoders are never compared: they are told apart by digest."""
    digests = [encoder().digest for encoder in (StyleFallback, LayoutFallback, CopyFallback)]

    assert len(set(digests)) == 3
    assert digests[0] == StyleFallback().digest
