# SPDX-License-Identifier: Apache-2.0
"""Two releases side by side, as the SDK hands them out: what each says, and layer by layer.

Plain frozen values; they know nothing of protobuf or the network.
"""

from __future__ import annotations

from dataclasses import dataclass

from tabard.releases.release import Release


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerSide:
    """One layer as one release changes it.

    Attributes:
        method: Like `LoRA`; `token` for vectors of an embedding, `member` in a recipe.
        rank: Its rank; vectors of a token; 0 for what is not low-rank.
        norm: Length of the change, scale included; None where the base's weights decide it.
    """

    method: str
    rank: int
    norm: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerDiff:
    """One layer in both releases; `distance` is the length of the difference, where it is known."""

    component: str
    name: str
    left: LayerSide | None
    right: LayerSide | None
    distance: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldDiff:
    """Something that two releases say differently."""

    name: str
    left: str
    right: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Diff:
    """Two releases side by side: every layer that one changes, and what they say differently."""

    release: Release
    other_release: Release
    layers: tuple[LayerDiff, ...]
    fields: tuple[FieldDiff, ...]
