# SPDX-License-Identifier: Apache-2.0
"""Whether a picture is broken."""

import numpy as np

from tabard_server.judgement.pictures.sanity import Fault, Soundness, fault_of, latents_are_finite


def sound(contrast: float, *, is_finite: bool = True) -> Soundness:
    return Soundness(is_finite=is_finite, contrast=contrast, clipped_share=0.0)


def test_contrast_is_judged_beside_the_lesser() -> None:
    """A flat prompt is flat for the base too; a strong style of stable is no measure alone."""
    assert fault_of(sound(0.02), base=sound(0.03), stable=sound(0.2)) is None
    assert fault_of(sound(0.04), base=sound(0.2), stable=sound(0.1)) is Fault.FLAT
    assert fault_of(sound(0.2, is_finite=False), base=sound(0.2)) is Fault.NOT_FINITE


def test_latents_and_pixels_are_measured() -> None:
    """NaN is seen in latents, clipping in pixels."""
    half = np.zeros((8, 8, 3), np.uint8)
    half[:, :4] = 255

    assert not latents_are_finite(np.array([1.0, np.nan]))
    assert Soundness.of(half, is_finite=True).clipped_share == 1.0
    assert abs(Soundness.of(half, is_finite=True).contrast - 0.5) < 1e-3
