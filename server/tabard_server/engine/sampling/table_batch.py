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

    Used from the engine's thread. Whoever joins keeps no other place: his values lie here.

    Attributes:
        courses: In the order of their samples.
        samples: Samples of all.
        noise: `[rows, 1, d]` on the device: what the next step adds; None: none of the steps does.
    """

    def __init__(self, courses: Sequence[TableCourse]) -> None:
        """Lay out all steps until the first of them is done."""
        ...

    def is_of(self, courses: Sequence[TableCourse]) -> bool:
        """Say whether these are all that sit here, in this order."""
        ...

    def model_input(self) -> torch.Tensor:
        """Return what the model is shown, `[samples, channels, h, w]` in its dtype."""
        ...

    def timesteps(self) -> torch.Tensor:
        """Return what the model is told, `[samples]`, float32 on the device."""
        ...

    def advance(self, predictions: torch.Tensor) -> None:
        """Take one step with what the model says, `[samples, channels, h, w]`.

        Nobody has moved when it raises.
        """
        ...
