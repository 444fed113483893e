# SPDX-License-Identifier: Apache-2.0
"""The checked reading behind a report: files, layers, changes and tokens, and where they lie."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from tabard_registry.intake.files.safetensors import TensorFile
from tabard_registry.intake.layers.change_part import ChangePart
from tabard_registry.intake.layers.factors import Axis, Factors
from tabard_registry.refs.digest import Digest
from tabard_registry.release.change_methods import CHANGE_METHODS, DENSE, MAGNITUDE
from tabard_registry.report import Report


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedFile:
    """One file as it was when it was checked."""

    path: Path
    name: str
    digest: Digest
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedLayer:
    """What changes one layer, and where it lies.

    Attributes:
        component: The denoiser, `unet` or `transformer`, or a text encoder.
        module: Module name as the profile has it.
        scale: alpha / trained rank, or alpha / sqrt(rank) for rsLoRA.
        factors: The tensors, and the pair that they make.
    """

    component: str
    module: str
    scale: float
    factors: Factors

    @property
    def rank(self) -> int:
        """Rank of the pair."""
        return self.factors.measured.rank

    @property
    def axis(self) -> Axis:
        """Which side of the weight a magnitude scales; empty without one."""
        return self.factors.axis


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedChange:
    """What changes one parameter in a way that slots have no place for, and where it lies.

    Attributes:
        component: The denoiser, `unet` or `transformer`, or a text encoder.
        parameter: Name of the parameter as the profile has it: `….weight` or `….bias`.
        method: Name of one of `CHANGE_METHODS`.
        scale: What the change is multiplied with.
        parts: Name to what stands in the file, in the order of the manifest.
        options: What else the method must know.
    """

    component: str
    parameter: str
    method: str
    scale: float
    parts: Mapping[str, ChangePart]
    options: Mapping[str, float | str | bool] = field(default_factory=dict)

    def read(self) -> dict[str, NDArray[Any]]:
        """Return the arrays by part, as the canonical file has them.

        Raises:
            OSError: The file is gone.
        """
        return {name: part.read() for name, part in self.parts.items()}

    def is_zero(self) -> bool:
        """Whether it changes nothing: its array, or one of its factors, is zero."""
        if CHANGE_METHODS[self.method].is_product and MAGNITUDE not in self.parts:
            return any(part.is_zero() for part in self.parts.values())
        return self.method == DENSE.name and all(part.is_zero() for part in self.parts.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedToken:
    """Where the vectors of one placeholder token lie.

    Attributes:
        token: The placeholder that the prompt names.
        component: The text encoder whose embedding it extends.
        count: Number of vectors.
        source: The file.
        key: Key of the [count, width] or [width] tensor.
    """

    token: str
    component: str
    count: int
    source: TensorFile
    key: str

    @property
    def kept_bytes(self) -> int:
        """Bytes in the canonical file."""
        entry = self.source.tensors[self.key]
        return math.prod(entry.shape) * entry.kept_item_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """The outcome of a check: the report, and what canonicalising and publishing need.

    Attributes:
        report: What people and programs are told.
        files: The files, hashed as they were read.
        layers: Every layer, by component and module.
        tokens: Every placeholder token, by component.
        changes: Everything that is not low-rank, by component and parameter.
        base_family: Family of the profile that was checked against.
        base_fingerprint: Fingerprint of that profile.
    """

    report: Report
    files: tuple[CheckedFile, ...]
    layers: tuple[CheckedLayer, ...]
    tokens: tuple[CheckedToken, ...]
    changes: tuple[CheckedChange, ...] = ()
    base_family: str
    base_fingerprint: str
