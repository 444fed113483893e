# SPDX-License-Identifier: Apache-2.0
"""Whether two pictures are nearly the same."""

import numpy as np
import pytest

from tabard_server.judgement.pictures.perceptual import (
    NEAR_BITS,
    hash_distance,
    perceptual_hash,
    structural_similarity,
)
from tests.server.judgement.drawn import picture


def test_smaller_copy_has_a_near_hash() -> None:
    """Half the size and a little noise move few bits; another picture moves many."""
    drawn = picture(1, side=128)
    noise = np.random.default_rng(1).integers(-4, 5, (64, 64, 3))
    copy = np.clip(drawn[::2, ::2].astype(int) + noise, 0, 255).astype(np.uint8)
    known = perceptual_hash(drawn)

    assert 0 <= known < 2**64
    assert hash_distance(known, perceptual_hash(copy)) <= NEAR_BITS
    assert hash_distance(known, perceptual_hash(picture(2, side=128))) > NEAR_BITS


def test_similarity_is_one_for_itself() -> None:
    """And less for another; sizes must agree."""
    assert structural_similarity(picture(1), picture(1)) == pytest.approx(1.0)
    assert structural_similarity(picture(1), picture(2)) < 0.7
    with pytest.raises(ValueError):
        structural_similarity(picture(1), picture(1, side=32))
