# SPDX-License-Identifier: Apache-2.0
"""The tensors of one module, as a dialect found them, and the one way to refuse them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from tabard_registry.intake.dialect import Context
from tabard_registry.intake.files.safetensors import TensorFile
from tabard_registry.intake.layers.change_part import ChangePart
from tabard_registry.intake.layers.checked import CheckedChange
from tabard_registry.intake.layers.method import Shape
from tabard_registry.intake.layers.products import Array
from tabard_registry.intake.profile import ModuleShape
from tabard_registry.release.change_methods import ChangeMethod

WEIGHT = "weight"
BIAS = "bias"

Options = Mapping[str, float | str | bool]


class LayerRefused(Exception):
    """A layer is refused.

    Attributes:
        reason: Stable UPPER_SNAKE code.
        detail: What is wrong with it.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True, kw_only=True)
class Alpha:
    """What is known of a layer beside its tensors.

    Attributes:
        value: alpha.
        is_rslora: Whether the scale is alpha / sqrt(rank) instead of alpha / rank.
        is_dora: Whether a magnitude belongs to it; None when nothing says so.
        rank: The rank to divide by even where the tensors are whole; None: the tensors' own.
    """

    value: float
    is_rslora: bool = False
    is_dora: bool | None = None
    rank: int | None = None

    def scale(self, *, rank: int | None) -> float:
        """Return what the product of the factors is multiplied with."""
        divisor = rank or self.rank
        if divisor is None:
            return 1.0
        return self.value / (math.sqrt(divisor) if self.is_rslora else divisor)


AlphaRule = Callable[[str, str, int], Alpha | None]
"""From component, module and rank to alpha; None when it cannot be known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleTensors:
    """The tensors of one module.

    Attributes:
        file: The file that holds them.
        component: The denoiser, `unet` or `transformer`, or a text encoder.
        name: The module, as the profile has it.
        keys: Part to key.
        alpha_rule: alpha where no tensor says it.
        context: The base and the bounds.
        is_zero_no_alpha: Whether an alpha of zero says nothing, as with kohya and LyCORIS.
    """

    file: TensorFile
    component: str
    name: str
    keys: Mapping[str, str]
    alpha_rule: AlphaRule
    context: Context
    is_zero_no_alpha: bool = False

    @property
    def module(self) -> ModuleShape | None:
        """The layer of the base; None for a norm."""
        return self.context.profile.modules[self.component].get(self.name)

    def shape(self, part: str) -> Shape:
        """Return the shape of a part."""
        return self.file.tensors[self.keys[part]].shape

    def width_of(self, own: str) -> int | None:
        """Return the width of the module's own bias or norm weight; None when it has none."""
        found = self.context.profile.vectors.get(self.component, {})
        return found.get(f"{self.name}.{own}")

    def part(
        self,
        part: str,
        *,
        shape: Shape | None = None,
        rewrite: Callable[[Array], Array] | None = None,
    ) -> ChangePart:
        """Take a part into a change, as it is or in another shape."""
        return ChangePart(
            source=self.file,
            key=self.keys[part],
            shape=self.shape(part) if shape is None else shape,
            rewrite=rewrite,
        )

    def change(
        self,
        method: ChangeMethod,
        parts: Mapping[str, ChangePart],
        *,
        own: str = WEIGHT,
        scale: float = 1.0,
        options: Options = MappingProxyType({}),
    ) -> CheckedChange:
        """Make a change of the module's weight, or of its bias, of parts that were taken."""
        return CheckedChange(
            component=self.component,
            parameter=f"{self.name}.{own}",
            method=method.name,
            scale=scale,
            parts=parts,
            options=options,
        )

    def number(self, part: str) -> float:
        """Return a part that is one number.

        Raises:
            LayerRefused: It is anything else.
        """
        key = self.keys[part]
        if math.prod(self.file.tensors[key].shape) != 1:
            raise LayerRefused("BAD_ALPHA", f"{key} is not one number")
        return self.file.number(key)

    @property
    def is_alpha_left_out(self) -> bool:
        """Whether alpha is zero where a zero stands for none at all."""
        return self.is_zero_no_alpha and "alpha" in self.keys and self.number("alpha") == 0

    def alpha(self, *, rank: int) -> Alpha | None:
        """Return alpha as the tensors say it, or else the dialect's rule."""
        if "alpha" in self.keys and not self.is_alpha_left_out:
            return Alpha(value=self.number("alpha"))
        return self.alpha_rule(self.component, self.name, rank)

    def scale(self, *, rank: int | None, fallback_rank: int) -> float:
        """Return alpha over rank.

        Raises:
            LayerRefused: Nothing says alpha, or it is impossible.
        """
        alpha = self.alpha(rank=rank or fallback_rank)
        if alpha is None:
            raise LayerRefused(
                "ALPHA_UNKNOWN", f"nothing in the file says the alpha of {self.name}"
            )
        scale = alpha.scale(rank=rank)
        if not math.isfinite(scale) or not 0 < abs(scale) <= self.context.limits.scale_abs_max:
            raise LayerRefused(
                "BAD_ALPHA", f"alpha {alpha.value} of {self.name} (rank {rank}) is impossible"
            )
        return scale
