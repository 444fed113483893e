# SPDX-License-Identifier: Apache-2.0
"""What a batch is told lies in memory that stays, and is written where somebody else comes."""

import random
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from tabard_server.engine.base.text_layout import SD3
from tabard_server.engine.networks.network import Words
from tabard_server.engine.text.conditioning import Conditioning
from tabard_server.engine.text.row_lengths import pad_texts, repeat_texts
from tabard_server.engine.text.told import TOLD_BATCHES, Telling, ToldBatches

WINDOW, WIDTH, POOLED = 3, 4, 2


def telling(number: int, *, samples: int = 2, windows: int = 1, is_large: bool = False) -> Telling:
    """What one row is told, different from what others are."""
    generator = torch.Generator().manual_seed(number)
    text = torch.randn(samples, windows * WINDOW, WIDTH, generator=generator)
    pooled = torch.randn(samples, POOLED, generator=generator) if is_large else None
    sizes = (number, 2, 3, 4, 5, 6) if is_large else ()
    return Telling(conditioning=Conditioning(text=text, pooled=pooled), numbers=sizes)


class _Writes(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts copies into other tensors."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.count = 0

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        self.count += function is torch.ops.aten.copy_.default
        return function(*args, **(kwargs or {}))


def told_and_writes(batches: ToldBatches, rows: list[Telling], **options: Any) -> tuple[Words, int]:
    """Tell a batch; return how many places were written for it."""
    with _Writes() as writes:
        return batches.tell(rows, **options), writes.count


@pytest.mark.parametrize("seed", range(8))
def test_any_history_tells_each_row_its_own(seed: int) -> None:
    """Rows that join, leave, wait and come again, of any length: as if all were joined anew."""
    dice, batches = random.Random(seed), ToldBatches()
    is_large = bool(seed % 2)
    rows = [
        telling(
            n, samples=dice.choice([1, 2, 4]), windows=dice.choice([1, 1, 2, 3]), is_large=is_large
        )
        for n in range(7)
    ]
    for _ in range(60):
        batch = dice.sample(rows, dice.randint(1, 5))
        if dice.random() < 0.5:
            batch.sort(key=lambda row: row.numbers)
        told = batches.tell(batch)

        assert torch.equal(told.text, repeat_texts([row.conditioning.text for row in batch]))
        if not is_large:
            assert told.pooled is None and told.numbers is None
            continue
        pooled = torch.cat([row.conditioning.pooled for row in batch])  # type: ignore[misc]
        sizes = [row.numbers for row in batch for _ in range(row.samples)]
        assert told.pooled is not None and told.numbers is not None and told.mask is None
        assert torch.equal(told.pooled, pooled)
        assert torch.equal(told.numbers, torch.tensor(sizes).float())


def test_batch_that_steps_again_writes_nothing() -> None:
    """The same memory says the same, for two batches that take turns."""
    batches = ToldBatches()
    ones, others = [telling(1), telling(2)], [telling(3)]
    first, count = told_and_writes(batches, ones)
    assert count == 2
    batches.tell(others)
    assert TOLD_BATCHES == 2

    for _ in range(3):
        again, count = told_and_writes(batches, ones)
        assert count == 0
        assert again.text.data_ptr() == first.text.data_ptr()
        assert told_and_writes(batches, others)[1] == 0


def test_who_joins_behind_is_written_alone() -> None:
    """The memory has room for a few more, and whoever was there stays where it was."""
    batches = ToldBatches()
    rows = [telling(n) for n in range(3)]
    before = batches.tell(rows)

    after, count = told_and_writes(batches, [*rows, telling(9)])

    assert count == 1
    assert after.text.data_ptr() == before.text.data_ptr()


def test_images_of_one_job_change_places_freely() -> None:
    """Rows that are told the same are the same to the memory."""
    batches, one = ToldBatches(), telling(1)
    twin = Telling(conditioning=one.conditioning, numbers=one.numbers)
    batches.tell([one, one])

    assert told_and_writes(batches, [twin, one])[1] == 0


def test_other_sizes_are_another_telling() -> None:
    """SDXL is told of them beside the words."""
    batches, one = ToldBatches(), telling(1, is_large=True)
    batches.tell([one])

    told = batches.tell([Telling(conditioning=one.conditioning, numbers=(9,) * 6)])

    assert told.numbers is not None
    assert (told.numbers == 9).all()


def test_samples_of_nobody_are_told_something() -> None:
    """A batch is filled up for a graph with what the last row is told."""
    batches = ToldBatches()

    told = batches.tell([telling(1), telling(2)], filler=3)

    last = telling(2).conditioning.text[-1]
    assert len(told.text) == 7
    assert all(torch.equal(one, last) for one in told.text[4:])


def test_memory_is_given_back() -> None:
    """Nothing of it is kept where the device needs it for a step."""
    batches = ToldBatches()
    batches.tell([telling(1)])

    batches.clear()

    assert told_and_writes(batches, [telling(1)])[1] == 1


def _masks(told: Words) -> list[int]:
    assert told.mask is not None
    return told.mask.sum(dim=1).tolist()


@pytest.mark.parametrize("seed", range(4))
def test_any_history_pads_each_row(seed: int) -> None:
    """Rows whose words take part in attention are padded and masked, whoever was there before."""
    dice, batches = random.Random(seed), ToldBatches(SD3)
    rows = [
        telling(n, samples=dice.choice([1, 2]), windows=dice.choice([1, 1, 2, 3]), is_large=True)
        for n in range(7)
    ]
    for _ in range(60):
        batch = dice.sample(rows, dice.randint(1, 4))
        told = batches.tell(batch)

        text, mask = pad_texts([row.conditioning.text for row in batch])
        assert torch.equal(told.text, text)
        assert (told.mask is None) == (mask is None)
        assert mask is None or (told.mask is not None and torch.equal(told.mask, mask))
        assert told.pooled is not None


def test_row_of_uneven_parts_keeps_its_mask() -> None:
    """A row may be masked within; a longer neighbour pads it further, and a filler repeats it."""
    own = torch.tensor([[True, True, False], [True, True, True]])
    plain, batches = telling(1), ToldBatches(SD3)
    said = plain.conditioning
    uneven = Telling(
        conditioning=Conditioning(text=said.text, pooled=said.pooled, mask=own),
        numbers=plain.numbers,
    )

    assert _masks(batches.tell([uneven])) == [2, 3]

    beside = batches.tell([telling(2, windows=2), uneven], filler=1)

    assert _masks(beside) == [6, 6, 2, 3, 3]
    assert not beside.text[2:, 3:].any()
    assert batches.tell([plain]).mask is None
