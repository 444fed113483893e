# SPDX-License-Identifier: Apache-2.0
"""What the network is told beside latents and times, in device memory that stays from step to step.

In: what the rows of a batch are told, and of which sizes. Out: views of buffers that hold it, one
behind the other. A place is written when somebody else comes to it; a batch that steps again writes
nothing. Knows nothing of latents, samplers or slots.
"""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

from tabard_server.engine.base.text_layout import CLIP_JOINED, TextLayout
from tabard_server.engine.networks.network import Words
from tabard_server.engine.sending import send
from tabard_server.engine.text.conditioning import Conditioning
from tabard_server.engine.text.row_lengths import repeated

TOLD_BATCHES = 2
"""Batches that take turns and find what they were told: two, for rows that are running do not all
fit into one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """What one row is told.

    Attributes:
        conditioning: The words, `[samples, length, width]`, and their summary.
        numbers: What the network is told beside them.
    """

    conditioning: Conditioning
    numbers: tuple[float, ...] = ()

    @property
    def samples(self) -> int:
        """How many samples it is for."""
        return len(self.conditioning.text)

    def is_same(self, other: "Telling") -> bool:
        """Say whether both come to the same tensors."""
        return self.conditioning is other.conditioning and self.numbers == other.numbers


@dataclass(slots=True, kw_only=True, eq=False)
class _Place:
    """A row's samples in a buffer; those of nobody repeat the last of them."""

    at: int
    samples: int
    telling: Telling


@dataclass(slots=True, kw_only=True, eq=False)
class _Buffer:
    """Memory of one batch.

    Attributes:
        text: `[room, length, width]`.
        pooled: `[room, width]`; None where the network takes none.
        numbers: `[room, n]`; likewise.
        mask: `[room, length]`; None where rows of other lengths are repeated.
        places: What it holds, by where that begins.
    """

    text: torch.Tensor
    pooled: torch.Tensor | None = None
    numbers: torch.Tensor | None = None
    mask: torch.Tensor | None = None
    places: dict[int, _Place] = field(default_factory=dict)

    def holds(self, place: _Place) -> bool:
        """Say whether a place is written."""
        found = self.places.get(place.at)
        return (
            found is not None
            and found.samples == place.samples
            and found.telling.is_same(place.telling)
        )

    def has_room(self, samples: int, *, length: int) -> bool:
        """Say whether so many samples of this length have room."""
        return len(self.text) >= samples and self.text.shape[1] == length

    def write(self, places: Sequence[_Place], *, is_written: Sequence[bool]) -> None:
        """Write what is not there, and forget what is not wanted."""
        length = self.text.shape[1]
        for place, is_there in zip(places, is_written, strict=True):
            if is_there:
                continue
            told, there = place.telling.conditioning, slice(place.at, place.at + place.samples)
            text = _last(told.text, place)
            if self.mask is None:
                self.text[there] = repeated(text, length=length)
            else:
                own = None if told.mask is None else _last(told.mask, place)
                self._write_padded(there, text, own=own)
            if self.pooled is not None:
                assert told.pooled is not None, "rows of one base are told alike"
                self.pooled[there] = _last(told.pooled, place)
            if self.numbers is not None:
                numbers = torch.tensor(place.telling.numbers, dtype=self.numbers.dtype)
                self.numbers[there] = send(numbers, self.numbers.device)
        self.places = {place.at: place for place in places}

    def _write_padded(self, there: slice, text: torch.Tensor, *, own: torch.Tensor | None) -> None:
        assert self.mask is not None
        end = text.shape[1]
        self.text[there, :end], self.text[there, end:] = text, 0
        self.mask[there, :end] = True if own is None else own
        self.mask[there, end:] = False


class ToldBatches:
    """The buffers of the batches that stepped lately. One thread."""

    def __init__(self, layout: TextLayout = CLIP_JOINED) -> None:
        """Take how the network reads what it is told."""
        self._layout = layout
        self._buffers: deque[_Buffer] = deque(maxlen=TOLD_BATCHES)

    def clear(self) -> None:
        """Let go of all memory; the next batch takes its own."""
        self._buffers.clear()

    def tell(self, tellings: Sequence[Telling], *, filler: int = 0) -> Words:
        """Return what a batch is told, as views of memory that stays.

        Rows of fewer windows say theirs several times over, or are padded and masked, as the
        network wants it: a row is not changed by a longer neighbour.

        Args:
            tellings: Of its rows, in order.
            filler: Samples of nobody behind them, which are told what the last is told.
        """
        places = _lay_out(tellings, filler=filler)
        samples = places[-1].at + places[-1].samples
        lengths = [telling.conditioning.text.shape[1] for telling in tellings]
        length = max(lengths) if self._layout.is_masked else math.lcm(*lengths)
        buffer = self._find(places, samples=samples, length=length)
        is_written = [buffer.holds(place) for place in places]
        if not all(is_written) or len(buffer.places) != len(places):
            buffer.write(places, is_written=is_written)
        is_uneven = len(set(lengths)) > 1 or any(
            telling.conditioning.mask is not None for telling in tellings
        )
        return Words(
            text=buffer.text[:samples],
            pooled=None if buffer.pooled is None else buffer.pooled[:samples],
            numbers=None if buffer.numbers is None else buffer.numbers[:samples],
            mask=buffer.mask[:samples] if is_uneven and buffer.mask is not None else None,
        )

    def _find(self, places: Sequence[_Place], *, samples: int, length: int) -> _Buffer:
        """Return the buffer with the most of a batch, else the one that is unused the longest."""
        having = [(sum(map(one.holds, places)), one) for one in self._buffers]
        most, found = max(having, key=lambda pair: pair[0], default=(0, None))
        if found is not None and most and found.has_room(samples, length=length):
            self._buffers.remove(found)
        elif len(self._buffers) == TOLD_BATCHES and self._buffers[0].has_room(
            samples, length=length
        ):
            found = self._buffers.popleft()
        else:
            found = _new_buffer(
                places[0].telling, samples=samples, length=length, layout=self._layout
            )
        self._buffers.append(found)
        return found


def _lay_out(tellings: Sequence[Telling], *, filler: int) -> list[_Place]:
    places, at = [], 0
    for telling in tellings:
        places.append(_Place(at=at, samples=telling.samples, telling=telling))
        at += telling.samples
    if filler:
        places.append(_Place(at=at, samples=filler, telling=tellings[-1]))
    return places


def _new_buffer(like: Telling, *, samples: int, length: int, layout: TextLayout) -> _Buffer:
    """Return memory for the next power of two of samples, so that rows may join."""
    room = 1 << (samples - 1).bit_length()
    text, pooled = like.conditioning.text, like.conditioning.pooled
    numbers = len(like.numbers)
    return _Buffer(
        text=text.new_empty(room, length, text.shape[2]),
        pooled=None if pooled is None else pooled.new_empty(room, pooled.shape[1]),
        numbers=text.new_empty(room, numbers) if numbers else None,
        mask=text.new_empty(room, length, dtype=torch.bool) if layout.is_masked else None,
    )


def _last(tensor: torch.Tensor, place: _Place) -> torch.Tensor:
    """Return a row's samples, or the last one for a place of nobody."""
    return tensor if len(tensor) == place.samples else tensor[-1:]
