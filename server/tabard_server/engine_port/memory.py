# SPDX-License-Identifier: Apache-2.0
"""What an engine uses of its device, by purpose, and the refusal of what cannot fit."""

from dataclasses import dataclass

from tabard_server.engine_port.errors import MemoryTooSmall

_MEBIBYTE = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryPlan:
    """Bytes on the device, by purpose.

    Attributes:
        base: Weights of all models.
        slots: Tables of rank rows beside every layer.
        merged: The merged copy when all layers are changed; 0 without one.
        gathered: Factors that are kept from one step to the next.
        activations: A step of as many rows as may share one, at the base's own size, or the
            decoding of one image if that is more.
        free: What the device has for all of this; None where nobody can say.
    """

    base: int
    slots: int
    merged: int
    gathered: int
    activations: int
    free: int | None = None

    @property
    def total(self) -> int:
        """Bytes of everything."""
        return self.base + self.slots + self.merged + self.gathered + self.activations

    def require(self) -> None:
        """Refuse what cannot fit.

        Raises:
            MemoryTooSmall: The device has less than that.
        """
        if self.free is None or self.total <= self.free:
            return
        parts = ", ".join(
            f"{name} {_mebibytes(getattr(self, name))}"
            for name in ("base", "slots", "merged", "gathered", "activations")
        )
        raise MemoryTooSmall(
            f"the server would use {_mebibytes(self.total)} of memory and may have "
            f"{_mebibytes(self.free)}: {parts}",
            hint="lower slot_rank_total or limits.rows_per_step_max, say merged_copy = false, or "
            "serve in float16",
        )


def _mebibytes(count: int) -> str:
    return f"{count / _MEBIBYTE:,.0f} MiB"
