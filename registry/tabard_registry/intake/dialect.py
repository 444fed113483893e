# SPDX-License-Identifier: Apache-2.0
"""The seam of the intake: a dialect is one way in which trainers name and shape what they save."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from tabard_registry.intake.files.limits import IntakeLimits
from tabard_registry.intake.files.safetensors import TensorFile
from tabard_registry.intake.layers.checked import CheckedChange, CheckedLayer, CheckedToken
from tabard_registry.intake.profile import BaseProfile
from tabard_registry.report import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a dialect may know besides the file.

    Attributes:
        profile: The base to fit.
        limits: Bounds.
        trigger_words: Words that the author gave.
        config: The `adapter_config.json` that came along, or None.
        files: All files of the release, of which the one being read is one.
        takes_contradictions: Whether words that contradict the base are only warned of.
    """

    profile: BaseProfile
    limits: IntakeLimits
    trigger_words: tuple[str, ...] = ()
    config: Mapping[str, Any] | None = None
    files: tuple[TensorFile, ...] = ()
    takes_contradictions: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a dialect understood of a file.

    Attributes:
        layers: Sound low-rank pairs.
        changes: Sound changes that are not low-rank.
        tokens: Sound placeholder tokens.
        applied: Keys of the file that these use up.
        alphas: Every alpha that was resolved.
        problems: What is wrong with the other keys, or with the file.
    """

    layers: tuple[CheckedLayer, ...] = ()
    changes: tuple[CheckedChange, ...] = ()
    tokens: tuple[CheckedToken, ...] = ()
    applied: frozenset[str] = field(default_factory=frozenset)
    alphas: frozenset[float] = frozenset()
    problems: tuple[Problem, ...] = ()


class Dialect(Protocol):
    """One way of naming. A new dialect is a new file with one of these, listed in `check.py`."""

    @property
    def name(self) -> str:
        """What reports and manifests call it."""
        ...

    @property
    def has_configs(self) -> bool:
        """Whether PEFT's configurations belong to it; elsewhere one is refused."""
        ...

    def claimed(self, file: TensorFile) -> frozenset[str]:
        """Return the keys that are written in this dialect, by their form alone."""
        ...

    def read(self, file: TensorFile, *, context: Context) -> Reading:
        """Understand a file all of whose keys are claimed. Never raises for what is in it."""
        ...
