# SPDX-License-Identifier: Apache-2.0
"""The arrays and options of one change, handed out only in shapes that fit the parameter.

In: a change and the parameter it is for. Out: its parts, as wide as they are computed with. What
does not fit, and what nobody asked for, is refused: a change is applied whole or not at all.
"""

import torch

from tabard_registry.release.change_methods import MAGNITUDE, MAGNITUDE_AXIS
from tabard_server.adapters.host_adapter import HostChange
from tabard_server.engine.layer_fit import MISMATCH_HINT
from tabard_server.engine_port.errors import AdapterMismatch


class ChangeParts:
    """What a method reads of one change.

    Attributes:
        base: The pristine parameter, in the dtype that changes are computed in.
    """

    def __init__(self, change: HostChange, *, base: torch.Tensor) -> None:
        self.base = base
        self._change = change
        self._asked = {MAGNITUDE, MAGNITUDE_AXIS}

    @property
    def outputs(self) -> int:
        """Rows of the parameter."""
        return self.base.shape[0]

    @property
    def inputs(self) -> int:
        """Columns of the parameter, without its kernel.

        Raises:
            AdapterMismatch: It is a vector.
        """
        if self.base.dim() < 2:
            raise self.misfit("can only change a matrix or a convolution")
        return self.base.shape[1]

    @property
    def columns(self) -> int:
        """Columns of the parameter, its kernel unrolled."""
        return self.inputs * self.base[0, 0].numel()

    @property
    def rows(self) -> torch.Tensor:
        """The parameter as a matrix `[outputs, columns]`.

        Raises:
            AdapterMismatch: It is a vector.
        """
        assert self.inputs
        return self.base.flatten(1)

    @property
    def kernel(self) -> tuple[int, ...]:
        """Height and width of a convolution's kernel; nothing for a linear layer."""
        return tuple(self.base.shape[2:])

    def has(self, name: str) -> bool:
        """Say whether the change has this part."""
        return name in self._change.parts

    def take(self, name: str, *shape: int | None) -> torch.Tensor:
        """Return a part of this shape; None stands for any length.

        Raises:
            AdapterMismatch: There is no such part, or it has another shape.
        """
        found = self._read(name)
        if not _fits(tuple(found.shape), shape):
            raise self.misfit(f"has {name} of shape {list(found.shape)}")
        return found.to(device=self.base.device, dtype=self.base.dtype)

    def matrix(self, name: str, rows: int | None, columns: int | None) -> torch.Tensor:
        """Return a part as a matrix, whatever follows its first axis unrolled.

        Raises:
            AdapterMismatch: There is no such part, or it has another size.
        """
        found = self._read(name)
        tail = tuple(found.shape[2:])
        is_tail_known = tail == self.kernel or tail == (1,) * len(tail)
        size = (found.shape[0], found[0].numel()) if found.dim() > 1 else ()
        if not is_tail_known or not _fits(size, (rows, columns)):
            raise self.misfit(f"has {name} of shape {list(found.shape)}")
        return found.to(device=self.base.device, dtype=self.base.dtype).flatten(1)

    def vector(self, name: str, length: int) -> torch.Tensor:
        """Return a part of so many numbers, however its axes lie.

        Raises:
            AdapterMismatch: There is no such part, or it has another length.
        """
        found = self._read(name)
        if found.numel() != length:
            raise self.misfit(f"has {name} of shape {list(found.shape)}")
        return found.to(device=self.base.device, dtype=self.base.dtype).flatten()

    def number(self, name: str) -> float:
        """Return an option; zero when it is not given."""
        self._asked.add(name)
        return float(self._change.options.get(name, 0.0))

    def says(self, name: str) -> bool:
        """Return whether an option is given and true."""
        self._asked.add(name)
        return bool(self._change.options.get(name, False))

    def refuse_rest(self) -> None:
        """Refuse the change if there is more to it than was asked for.

        Raises:
            AdapterMismatch: There is.
        """
        rest = sorted({*self._change.parts, *self._change.options} - self._asked)
        if rest:
            raise self.misfit(f"has {', '.join(rest)}, which this server cannot apply")

    def misfit(self, detail: str) -> AdapterMismatch:
        """Return the error that says why the change does not fit."""
        change = self._change
        shape = list(self.base.shape)
        return AdapterMismatch(
            f"the {change.method} change of {change.component}:{change.parameter} {shape} {detail}",
            hint=MISMATCH_HINT,
        )

    def _read(self, name: str) -> torch.Tensor:
        self._asked.add(name)
        if name not in self._change.parts:
            raise self.misfit(f"has no {name}")
        return self._change.parts[name]


def _fits(found: tuple[int, ...], wanted: tuple[int | None, ...]) -> bool:
    return len(found) == len(wanted) and all(
        want is None or size == want for size, want in zip(found, wanted, strict=True)
    )
