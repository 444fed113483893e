# SPDX-License-Identifier: Apache-2.0
"""The courses of one forward pass: those that move by tables together, the others one by one.

In: courses of one pixel size. Out: what the model is shown and told, and each a step on with what
it says. Knows nothing of the model.
"""

from collections.abc import Iterator, Sequence

import torch

from tabard_server.engine.sampling.courses import Course, StepCourse, TableCourse
from tabard_server.engine.sampling.noise_ahead import NoiseAhead
from tabard_server.engine.sampling.table_batch import TableBatch, sit_together
from tabard_server.engine.sending import send


def moves_alone(course: Course) -> bool:
    """Say whether a course moves by diffusers' own `step`; in a pass, these stand last."""
    return isinstance(course, StepCourse)


class PassCourses:
    """What is shown to the model, and what its answers come to."""

    def __init__(self, courses: Sequence[Course], *, ahead: NoiseAhead) -> None:
        """Let those that move by tables sit together.

        Args:
            courses: Of one size, none of them done; those that move alone stand last.
            ahead: Draws the noise of those that move together, and drew what they were given.
        """
        tabled = [course for course in courses if isinstance(course, TableCourse)]
        self._alone = [course for course in courses if isinstance(course, StepCourse)]
        assert list(courses) == [*tabled, *self._alone], "those that move alone stand last"
        self._batch: TableBatch | None = sit_together(tabled, ahead=ahead) if tabled else None
        self._tabled_samples = sum(course.samples for course in tabled)

    def model_input(self) -> torch.Tensor:
        """Return what the model is shown, `[samples, channels, h, w]` in its dtype."""
        shown = [] if self._batch is None else [self._batch.model_input()]
        for course in self._alone:
            shown.append(course.scaled_latents().expand(course.samples, -1, -1, -1))
        return shown[0] if len(shown) == 1 else torch.cat(shown)

    def timesteps(self) -> torch.Tensor:
        """Return what the model is told, `[samples]`, float32 on the device."""
        told = [] if self._batch is None else [self._batch.timesteps()]
        for course in self._alone:
            one = course.timestep().float().expand(course.samples)
            told.append(send(one, course.latents.device))
        return told[0] if len(told) == 1 else torch.cat(told)

    def advance_tables(self, predictions: torch.Tensor) -> None:
        """Take one step of those that move by tables; nobody has moved when it raises.

        Args:
            predictions: What the model says of all, `[samples, channels, h, w]`.
        """
        if self._batch is not None:
            self._batch.advance(predictions[: self._tabled_samples])

    def alone(self, predictions: torch.Tensor) -> Iterator[tuple[StepCourse, torch.Tensor]]:
        """Give those that move alone, each with what the model says of its samples."""
        first = self._tabled_samples
        for course in self._alone:
            yield course, predictions[first : first + course.samples]
            first += course.samples
