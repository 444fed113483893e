# SPDX-License-Identifier: Apache-2.0
"""What the intake says of files: problems, the report, and the checked reading behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from livery_registry.digest import Digest

if TYPE_CHECKING:
    from livery_registry.intake.factors import Axis, Factors
    from livery_registry.intake.header import TensorFile

PROBLEM_KEYS_MAX = 5
"""How many keys of the file one problem quotes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One reason why files are refused, or a warning.

    Attributes:
        reason: Stable UPPER_SNAKE code.
        message: What is wrong.
        remedy: What to do.
        keys: The first few keys of the file concerned.
        is_warning: Whether the files are accepted all the same.
    """

    reason: str
    message: str
    remedy: str
    keys: tuple[str, ...] = ()
    is_warning: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "keys", tuple(self.keys)[:PROBLEM_KEYS_MAX])


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything the intake knows of the files of one release.

    Attributes:
        accepted: Whether they would be published.
        kind: `lora`, `textual_inversion` or `dreambooth`; empty when nothing was recognised.
        dialect: Who wrote them: `kohya`, `diffusers`, `peft`, `textual_inversion`; may be empty.
        rank: Largest rank of a layer; 0 for textual inversion.
        target_count: Layers changed; for textual inversion the number of vectors.
        tensor_count: Tensors in the files.
        tensors_applied: Tensors that were understood and would be applied.
        trigger_words: Words given by the author or found in the files.
        problems: Every problem, each with a remedy.
        resident_bytes: Bytes of the canonical tensors.
        training: Metadata that the trainer left, within limits.
    """

    accepted: bool
    kind: str = ""
    dialect: str = ""
    rank: int = 0
    target_count: int = 0
    tensor_count: int = 0
    tensors_applied: int = 0
    trigger_words: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    resident_bytes: int = 0
    training: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        assert self.accepted == all(problem.is_warning for problem in self.problems)
        object.__setattr__(self, "training", MappingProxyType(dict(self.training)))


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
        component: `unet` or `text_encoder`.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """The outcome of a check: the report, and what canonicalising and publishing need.

    Attributes:
        report: What people and programs are told.
        files: The files, hashed as they were read.
        layers: Every layer, by component and module.
        tokens: Every placeholder token, by component.
        base_family: Family of the profile that was checked against.
        base_fingerprint: Fingerprint of that profile.
    """

    report: Report
    files: tuple[CheckedFile, ...]
    layers: tuple[CheckedLayer, ...]
    tokens: tuple[CheckedToken, ...]
    base_family: str
    base_fingerprint: str
