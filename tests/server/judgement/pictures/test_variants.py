# SPDX-License-Identifier: Apache-2.0
"""What a training picture may come back as."""

import numpy as np

from tabard_server.judgement.pictures.variants import variants_of
from tests.server.judgement.drawn import picture


def test_mirror_and_shifts_are_there() -> None:
    """The picture first; eighteen in all, and of one size."""
    drawn = picture(1)

    variants = variants_of(drawn)

    assert len({one.tobytes() for one in variants}) == 18
    assert np.array_equal(variants[0], drawn)
    assert any(np.array_equal(one, drawn[:, ::-1]) for one in variants)
    assert any(np.array_equal(one[:, 2:], drawn[:, :-2]) for one in variants)
