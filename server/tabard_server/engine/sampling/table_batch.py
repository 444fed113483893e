# SPDX-License-Identifier: Apache-2.0
"""Rows whose samplers are tables, as they share forward passes: one product moves them all.

In: courses, and what the model says of their samples. Out: their latents a step on. What is on
the host is read when rows join or leave, and laid out for all steps until then; a step takes
views of that, so that nothing is copied to the device or read from it.
"""

from collections.abc import Sequence

import torch

from tabard_server.adapters.host_adapter import wide
from tabard_server.engine.sampling.courses import TableCourse
from tabard_server.engine.sampling.noise_ahead import NoiseAhead
from tabard_server.engine.sending import send

_SHOWN, _FIRST = 0, 1
"""In what a step makes of a row: the latents as the model is shown them; the first of its values.

Behind its values stand two more where masks keep something: that, shown and as it is.
"""


def apply_tables(
    coefficients: torch.Tensor,
    *,
    values: torch.Tensor,
    kept: torch.Tensor | None,
    predictions: torch.Tensor,
    noise: torch.Tensor | None,
) -> torch.Tensor:
    """Return what a step makes of rows: `[rows, out, d]`, where d are the numbers of one latents.

    Two launches, whatever mix of samplers; all on one device and of one dtype, float32 or wider.

    Args:
        coefficients: `[rows, out, values + 2 if kept + parts + 1 if noise]`.
        values: `[rows, values, d]`: latents, and what the samplers keep.
        kept: `[rows, 2, d]`: pictures that masks keep, and their first noise; None: nobody's.
        predictions: `[rows, parts, d]`: what the model says of each row's samples.
        noise: `[rows, 1, d]`; None: nobody draws.
    """
    there = [one for one in (values, kept, predictions, noise) if one is not None]
    return torch.bmm(coefficients, torch.cat(there, dim=1))


class TableBatch:
    """Courses of one size that move together, until one joins, leaves or is done.

    Used from the engine's thread. What a course was before it came lies here from then on.

    Attributes:
        courses: In the order of their samples.
        noise: `[rows, 1, d]` on the device: what the next step adds; None: none of the steps does.
    """

    def __init__(self, courses: Sequence[TableCourse], *, ahead: NoiseAhead) -> None:
        """Lay out all steps until the first of them is done.

        Args:
            courses: Of one size, none of them done.
            ahead: Draws their noise beside the steps. Whoever drew for one of them before, for two
                would take numbers from one generator at once.
        """
        self.courses, self._ahead = list(courses), ahead
        self._plan = _Plan(self.courses)
        first = courses[0]
        self._shape, self._dtype, self._wide = first.shape, first.dtype, wide(first.dtype)
        device = first.device
        self._steps = send(self._plan.coefficients().to(self._wide), device)
        self._told = send(self._plan.timesteps(), device)
        self._step = 0
        self._samples_of = self._indices(self._plan.rows_of_samples(), device)
        self._parts_of = self._indices(self._plan.samples_of_parts(), device)
        self._shares = self._join_shares()
        self._kept, self._redrawn = self._join_kept_parts()
        self._found = self._join_values()
        self.noise = None
        if self._plan.draws_noise:
            self.noise = self._found.new_zeros(len(courses), 1, self._found.shape[2])
        for place, course in enumerate(self.courses):
            course.sit(self, place=place)
        self._begin_noise()

    def is_of(self, courses: Sequence[TableCourse]) -> bool:
        """Say whether these are all that sit here, in this order."""
        return self.courses == list(courses) and all(one.batch is self for one in courses)

    def values_at(self, place: int) -> torch.Tensor:
        """Return the values of one course, `[values, d]`: a view until the next step."""
        return self._found[place, _FIRST : _FIRST + self.courses[place].table.values]

    def model_input(self) -> torch.Tensor:
        """Return what the model is shown, `[samples, channels, h, w]` in its dtype."""
        shown = self._found[:, _SHOWN]
        if self._samples_of is not None:
            shown = shown.index_select(0, self._samples_of).to(self._dtype)
        else:
            # Repeated and rounded by one copy.
            shown = shown[:, None].expand(-1, self._plan.parts, -1)
            shown = shown.to(self._dtype, memory_format=torch.contiguous_format)
        return shown.reshape(-1, *self._shape[1:])

    def timesteps(self) -> torch.Tensor:
        """Return what the model is told, `[samples]`, float32 on the device."""
        return self._told[self._step]

    def advance(self, predictions: torch.Tensor) -> None:
        """Take one step with what the model says, `[samples, channels, h, w]`.

        Nobody has moved when it raises.
        """
        self._fetch_noise()
        found = apply_tables(
            self._steps[self._step],
            values=self._found[:, _FIRST : _FIRST + self._plan.values],
            kept=self._kept,
            predictions=self._parts(predictions),
            noise=self.noise,
        )
        if self._redrawn is not None:
            torch.lerp(found[:, -2:], found[:, :2], self._redrawn, out=found[:, :2])
        self._found = found
        self._step += 1
        for course in self.courses:
            course.steps_done += 1
        self._begin_noise()

    def _parts(self, predictions: torch.Tensor) -> torch.Tensor:
        """Return what the model says to each row, `[rows, parts, d]`."""
        if self._shares is not None:
            predictions = predictions * self._shares
        if self._parts_of is not None:
            predictions = predictions.index_select(0, self._parts_of)
        said = predictions.to(self._wide, memory_format=torch.contiguous_format)
        return said.view(len(self.courses), self._plan.parts, -1)

    def _begin_noise(self) -> None:
        """Let what the next step adds be drawn while the device is busy."""
        if self.noise is not None:
            self._ahead.begin(self.courses, like=self.noise)

    def _fetch_noise(self) -> None:
        """Copy what the step adds to the device, in one piece."""
        if self.noise is not None:
            self.noise.copy_(self._ahead.take(self.courses, like=self.noise), non_blocking=True)

    def _indices(self, told: Sequence[int] | None, device: torch.device) -> torch.Tensor | None:
        return None if told is None else send(torch.tensor(told), device)

    def _join_values(self) -> torch.Tensor:
        """Return `[rows, out, d]` as if a step had just been taken."""
        numbers = self._shape[1] * self._shape[2] * self._shape[3]
        first = self.courses[0].values
        found = first.new_zeros(len(self.courses), self._plan.out, numbers)
        for place, course in enumerate(self.courses):
            values = course.values
            found[place, _FIRST : _FIRST + len(values)] = values
        scales = torch.tensor([course.input_scale for course in self.courses], dtype=self._wide)
        shown = send(scales[:, None], found.device)
        found[:, _SHOWN] = found[:, _FIRST] * shown
        return found

    def _join_shares(self) -> torch.Tensor | None:
        """Return of each sample how much of each latent pixel is its, `[samples, 1, h, w]`."""
        if all(course.shares is None for course in self.courses):
            return None
        _, _, height, width = self._shape
        plain = torch.ones(1, 1, height, width, dtype=self._wide, device=self.courses[0].device)
        told = [
            plain.expand(course.samples, -1, -1, -1)
            if course.shares is None
            else course.shares.repeat_interleave(len(course.guidance), dim=0)
            for course in self.courses
        ]
        return torch.cat(told)

    def _join_kept_parts(self) -> tuple[torch.Tensor | None, torch.Tensor | None]:
        """Return `[rows, 2, d]` of what masks keep, and `[rows, 1, d]` of what they do not."""
        parts = [course.kept_part for course in self.courses]
        if not self._plan.keeps:
            return None, None
        first = self.courses[0].values
        kept = first.new_zeros(len(parts), 2, first.shape[1])
        redrawn = first.new_ones(len(parts), 1, first.shape[1])
        for place, part in enumerate(parts):
            if part is not None:
                kept[place, 0], kept[place, 1] = part.original.flatten(), part.noise.flatten()
                redrawn[place] = part.redrawn.expand(self._shape).reshape(1, -1)
        return kept, redrawn


def sit_together(courses: Sequence[TableCourse], *, ahead: NoiseAhead) -> TableBatch:
    """Return the batch that these are, or make one of them, whose noise is drawn by `ahead`."""
    batch = courses[0].batch
    if isinstance(batch, TableBatch) and batch.is_of(courses):
        return batch
    return TableBatch(courses, ahead=ahead)


class _Plan:
    """Where everything stands in the product of some courses, and its numbers. On the host."""

    def __init__(self, courses: Sequence[TableCourse]) -> None:
        self._courses = courses
        self.steps = min(course.steps_total - course.steps_done for course in courses)
        self.values = max(course.table.values for course in courses)
        self.parts = max(course.samples for course in courses)
        self.keeps = any(course.kept_part is not None for course in courses)
        self.draws_noise = any(
            any(course.table.noise_dtypes[course.steps_done :][: self.steps]) for course in courses
        )
        self.out = _FIRST + self.values + 2 * self.keeps

    def coefficients(self) -> torch.Tensor:
        """Return `[steps, rows, out, in]`, float64, guidance and scales of the input folded in."""
        first_part = self.values + 2 * self.keeps
        columns = first_part + self.parts + self.draws_noise
        found = torch.zeros(self.steps, len(self._courses), self.out, columns, dtype=torch.float64)
        for row, course in enumerate(self._courses):
            now, table, values = course.steps_done, course.table, course.table.values
            steps = slice(now, now + self.steps)
            told, mine = table.coefficients[steps], found[:, row]
            after = mine[:, _FIRST : _FIRST + values]
            after[:, :, :values] = told[:, :, :values]
            mixed = course.guidance * (course.samples // len(course.guidance))
            said = told[:, :, values : values + 1] * torch.tensor(mixed, dtype=torch.float64)
            after[:, :, first_part : first_part + course.samples] = said
            if self.draws_noise:
                after[:, :, -1] = told[:, :, values + 1]
            scales = table.input_scales[now + 1 : now + 1 + self.steps, None]
            mine[:, _SHOWN] = scales * mine[:, _FIRST]
            if course.kept_part is not None:
                mine[:, -1, self.values : first_part] = table.kept[steps]
                mine[:, -2] = scales * mine[:, -1]
        return found

    def timesteps(self) -> torch.Tensor:
        """Return `[steps, samples]`, float32."""
        told = [
            course.table.timesteps[course.steps_done :][: self.steps, None].expand(
                -1, course.samples
            )
            for course in self._courses
        ]
        return torch.cat(told, dim=1)

    def rows_of_samples(self) -> list[int] | None:
        """Return of which row each sample is; None: each row has as many as the others."""
        if all(course.samples == self.parts for course in self._courses):
            return None
        return [row for row, one in enumerate(self._courses) for _ in range(one.samples)]

    def samples_of_parts(self) -> list[int] | None:
        """Return which sample stands at each part of each row; None: they stand as they are.

        Where a row has fewer than others, its first one stands in, and counts nothing.
        """
        if all(course.samples == self.parts for course in self._courses):
            return None
        found, first = [], 0
        for course in self._courses:
            own = list(range(first, first + course.samples))
            found += own + own[:1] * (self.parts - len(own))
            first += course.samples
        return found
