# SPDX-License-Identifier: Apache-2.0
"""A batch, and the samples of nobody that fill it up."""

import pytest
import torch

from tabard_server.engine.batch import fill_up, filled, filler_of


@pytest.mark.parametrize(("samples", "filler"), [(1, 0), (3, 1), (5, 1), (9, 3), (64, 0), (65, 0)])
def test_batches_are_filled_to_a_size(samples: int, filler: int) -> None:
    """Up to the next size that is compiled; beyond the largest nothing is filled up."""
    assert filler_of(samples) == filler


def test_last_sample_is_repeated() -> None:
    """Whoever it is, nobody looks at what is said of it."""
    samples = torch.arange(6.0).view(3, 2)

    assert torch.equal(filled(samples, 0), samples)
    assert torch.equal(filled(samples, 2), torch.stack([*samples, samples[2], samples[2]]))


def test_samples_of_nobody_wear_nothing() -> None:
    """Parts stay together where the filler is parts as well; else each sample is a part."""
    stacks: list[list[tuple[object, object]]] = [[(1, 1)], [(2, 2)]]

    assert fill_up(stacks, 2, filler=2) == ([[(1, 1)], [(2, 2)], []], 2)  # type: ignore[arg-type]
    apart, together = fill_up(stacks, 2, filler=1)  # type: ignore[arg-type]
    assert (apart, together) == ([[(1, 1)], [(1, 1)], [(2, 2)], [(2, 2)], []], 1)
