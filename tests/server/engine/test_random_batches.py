# SPDX-License-Identifier: Apache-2.0
"""Batches of rows of every kind, at random: each row is what it is alone, to rounding."""

import pytest
import torch

from tabard_server.engine_port.row_spec import RowSpec
from tests.server.engine.random_rows import random_batch
from tests.server.engine.tiny_base import Studio, draw, open_studio

TOLERANCE = 1e-9
SIZES = ((16, 16), (32, 16), (32, 32), (16, 48))
BATCHES_FAST = 10
BATCHES = 200
BATCHES_A_TEST = 20


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Studio:
    return open_studio(tmp_path_factory.mktemp("sd1"), family="sd1")


def _check(studio: Studio, seed: int) -> None:
    specs = random_batch(studio, seed=seed, size=SIZES[seed % len(SIZES)])

    together = draw(studio.engine, specs)

    for number, (spec, mixed) in enumerate(zip(specs, together, strict=True)):
        (lone,) = draw(studio.engine, [spec])
        bound = TOLERANCE * max(1.0, float(lone.abs().max()))
        said = f"row {number} of batch {seed}: {_told(spec)}"
        assert float((mixed - lone).abs().max()) <= bound, said


def _told(spec: RowSpec) -> str:
    kinds = [adapter.digest[:15] for adapter, _ in spec.stack]
    drawing = spec.drawing
    return f"{drawing.sampler}, {drawing.steps} steps, {drawing.prompt!r}, stack {kinds}"


def test_random_batches_equal_lone_rows(studio: Studio) -> None:
    """Stacks, samplers, guidance, windows and pictures of neighbours do not touch a row."""
    for seed in range(BATCHES_FAST):
        _check(studio, seed)


@pytest.mark.oracle
@pytest.mark.parametrize("first", range(BATCHES_FAST, BATCHES, BATCHES_A_TEST))
def test_many_random_batches_equal_lone_rows(studio: Studio, first: int) -> None:
    """The same, two hundred times in all."""
    for seed in range(first, min(first + BATCHES_A_TEST, BATCHES)):
        _check(studio, seed)


def test_random_rows_differ(studio: Studio) -> None:
    """The comparison means something: rows of one batch are different pictures."""
    specs = random_batch(studio, seed=1, size=(16, 16))

    pictures = draw(studio.engine, specs)

    for number, left in enumerate(pictures):
        for right in pictures[number + 1 :]:
            assert not torch.allclose(left, right, rtol=0, atol=0.01)
