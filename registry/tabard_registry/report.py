# SPDX-License-Identifier: Apache-2.0
"""What the intake says of files: problems, the report, and the checked reading behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from numpy.typing import NDArray

from tabard_registry.digest import Digest

if TYPE_CHECKING:
    from tabard_registry.intake.change import Part
    from tabard_registry.intake.factors import Axis, Factors
    from tabard_registry.intake.header import TensorFile

Mode = Literal["", "rows", "merged"]
"""How the engine wears an adapter."""
BaseMatch = Literal["", "same", "family"]
"""What a file says of its own base, beside the one it is checked against."""
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
class Coverage:
    """How much of one kind of modules of the base would be changed.

    Attributes:
        component: `unet` or a text encoder.
        kind: `attention`, `feed_forward`, `projection`, `convolution`, `norm`, `bias` or `other`.
        changed: How many the files change.
        total: How many the base has.
    """

    component: str
    kind: str
    changed: int
    total: int


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
        mode: How the engine wears it: `rows` beside other adapters, or `merged` into a copy of the
            base; empty when nothing would be worn.
        alphas: Every alpha or constraint that was found, smallest first, within limits.
        methods: Method to number of layers or parameters that are changed by it.
        coverage: What of the base is changed, by component and kind of module.
        base_family: Family of the base that was checked against.
        base_fingerprint: Its fingerprint.
        base_match: What the file itself says of its base: `same` base, `family` for another one
            of the same family, empty when it says nothing. Never proof: anybody can write it.
        declared: The file's own words about its base.
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
    mode: Mode = ""
    alphas: tuple[float, ...] = ()
    methods: Mapping[str, int] = field(default_factory=dict)
    coverage: tuple[Coverage, ...] = ()
    base_family: str = ""
    base_fingerprint: str = ""
    base_match: BaseMatch = ""
    declared: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        assert self.accepted == all(problem.is_warning for problem in self.problems)
        for name in ("training", "methods", "declared"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))


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


_MULTIPLIED = ("lora", "hadamard", "kronecker")


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedChange:
    """What changes one parameter in a way that slots have no place for, and where it lies.

    Attributes:
        component: `unet` or a text encoder.
        parameter: Name of the parameter as the profile has it: `….weight` or `….bias`.
        method: One of `manifest.CHANGE_METHODS`.
        scale: What the change is multiplied with.
        parts: Name to what stands in the file, in the order of the manifest.
        options: What else the method must know.
    """

    component: str
    parameter: str
    method: str
    scale: float
    parts: Mapping[str, Part]
    options: Mapping[str, float | str | bool] = field(default_factory=dict)

    def read(self) -> dict[str, NDArray[Any]]:
        """Return the arrays by part, as the canonical file has them.

        Raises:
            OSError: The file is gone.
        """
        return {name: part.read() for name, part in self.parts.items()}

    def is_zero(self) -> bool:
        """Whether it changes nothing: its array, or one of its factors, is zero."""
        if self.method in _MULTIPLIED and "magnitude" not in self.parts:
            return any(part.is_zero() for part in self.parts.values())
        return self.method == "dense" and all(part.is_zero() for part in self.parts.values())


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
