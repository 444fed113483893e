# SPDX-License-Identifier: Apache-2.0
"""Noise that a thread draws beside the steps: the numbers a row would have drawn by itself."""

import threading
from collections.abc import Callable

import pytest
import torch

from tabard_server.engine.sampling.noise_ahead import NoiseAhead

SHAPE = (1, 4, 8, 8)
VALUES = 256


class Walker:
    """A row of some steps that draws at those that are said."""

    def __init__(
        self,
        seed: int,
        *,
        steps: int = 6,
        draws: Callable[[int], bool] = lambda step: True,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self._generator = torch.Generator("cpu").manual_seed(seed)
        self._draws, self._dtype = draws, dtype
        self.steps_done, self.steps_total = 0, steps
        self.drawn_in: set[int] = set()

    def draw_noise(self, step: int) -> torch.Tensor | None:
        """Draw as diffusers does."""
        self.drawn_in.add(threading.get_ident())
        if not self._draws(step):
            return None
        return torch.randn(SHAPE, generator=self._generator, dtype=self._dtype)


def like(rows: int, *, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """Noise as it lies on the device."""
    return torch.empty(rows, 1, VALUES, dtype=dtype, device="meta")


def walk(ahead: NoiseAhead, rows: list[Walker]) -> list[torch.Tensor]:
    """Take one step of rows, and let the next noise be drawn."""
    taken = ahead.take(rows, like=like(len(rows))).clone()
    for row in rows:
        row.steps_done += 1
    ahead.begin([row for row in rows if row.steps_done < row.steps_total], like=like(len(rows)))
    return [one.reshape(SHAPE) for one in taken]


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_rows_get_their_own_numbers(dtype: torch.dtype) -> None:
    """Bit for bit what each draws alone, whoever joins, leaves or waits meanwhile."""
    ahead, (one, two, late) = NoiseAhead(), _walkers(dtype)
    found: dict[Walker, list[torch.Tensor]] = {row: [] for row in (one, two, late)}
    for batch in ([one, two], [one, two], [two], [one, late, two], [late, one], [two, late]):
        for row, noise in zip(batch, walk(ahead, batch), strict=True):
            found[row].append(noise)

    for row, alone in zip(found, _walkers(dtype), strict=True):
        for step, noise in enumerate(found[row]):
            expected = alone.draw_noise(step)
            assert expected is not None
            assert torch.equal(noise, expected.float())


def _walkers(dtype: torch.dtype) -> list[Walker]:
    return [Walker(seed, dtype=dtype) for seed in (1, 2, 3)]


def test_thread_of_its_own_draws() -> None:
    """Never the thread that steps."""
    row, ahead = Walker(1), NoiseAhead()

    for _ in range(3):
        walk(ahead, [row])

    assert threading.get_ident() not in row.drawn_in
    assert len(row.drawn_in) == 1


def test_who_draws_nothing_has_zeros() -> None:
    """What stands there is finite, whatever the memory held."""
    rows = [Walker(1), Walker(2, draws=lambda step: step > 0)]
    ahead = NoiseAhead()

    first, second = walk(ahead, rows)
    later = walk(ahead, rows)[1]

    assert first.any() and not second.any() and later.any()


def test_step_that_is_tried_again_gets_the_same() -> None:
    """A batch that did not fit is stepped in halves, with the noise that it had."""
    rows, ahead = [Walker(seed) for seed in range(4)], NoiseAhead()
    whole = ahead.take(rows, like=like(4)).clone()

    halves = [ahead.take(half, like=like(2)).clone() for half in (rows[:2], rows[2:])]

    assert torch.equal(torch.cat(halves), whole)


def test_neighbours_lie_in_one_piece() -> None:
    """Rows that step on together need no copy on the host; the device gets theirs at once."""
    rows, ahead = [Walker(seed) for seed in range(4)], NoiseAhead()
    ahead.begin(rows, like=like(4))

    whole = ahead.take(rows, like=like(4))
    part = ahead.take(rows[1:3], like=like(2))

    assert part.data_ptr() == whole[1].data_ptr()


def test_what_went_wrong_is_told() -> None:
    """Whoever wants the noise hears of it; nobody gets other numbers instead."""
    row, ahead = Walker(1), NoiseAhead()

    def fail(step: int) -> torch.Tensor | None:
        raise RuntimeError("no memory")

    row.draw_noise = fail  # type: ignore[method-assign]
    ahead.begin([row], like=like(1))

    with pytest.raises(RuntimeError, match="no memory"):
        ahead.take([row], like=like(1))
