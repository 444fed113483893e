# SPDX-License-Identifier: Apache-2.0
"""What the intake says of files: problems, coverage, the report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

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
        dialect: How they name things: `kohya`, `diffusers`, `comfyui`, `peft`,
            `textual_inversion`; may be empty.
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
        sampling: How the file says that it wants to be sampled, as `Sampling.to_json` writes it.
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
    sampling: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        assert self.accepted == all(problem.is_warning for problem in self.problems)
        for name in ("training", "methods", "declared", "sampling"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))
