# SPDX-License-Identifier: Apache-2.0
"""What an examination of a registry found: values, and the list that takes them in. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tabard_registry.errors import RegistryError

Severity = Literal["error", "warning", "info"]

FINDINGS_MAX = 1_000
"""Most findings of one severity in a report; the rest is counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is not as it should be, or worth a word.

    Attributes:
        severity: `error`: something is lost or wrong. `warning`: it works, and somebody should
            act. `info`: good to know.
        key: The object, or the part of the registry.
        problem: What is wrong with it.
        remedy: What to do.
    """

    severity: Severity
    key: str
    problem: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FsckResult:
    """What an examination looked at, and what it found.

    Attributes:
        url: The registry.
        registry_id: Its id; empty when that cannot be read.
        seq: Position of the last record that could be folded.
        records: Slots that were read.
        checkpoints: Checkpoints that were compared.
        blobs: Blobs that releases need and that are there.
        blob_bytes: Their size.
        deep: Whether the blobs' bytes were read and hashed.
        findings: What was found; errors first.
        omitted: How many more findings there were.
        errors: How many findings are errors, those omitted included.
    """

    url: str
    registry_id: str
    seq: int
    records: int
    checkpoints: int
    blobs: int
    blob_bytes: int
    deep: bool
    findings: tuple[Finding, ...]
    omitted: int
    errors: int

    @property
    def is_sound(self) -> bool:
        """Whether nothing is lost or wrong; warnings may remain."""
        return self.errors == 0


class Findings:
    """Takes findings in, up to a bound. One thread."""

    def __init__(self) -> None:
        self._kept: dict[Severity, list[Finding]] = {"error": [], "warning": [], "info": []}
        self.omitted = 0
        self.errors = 0

    def error(self, key: str, problem: str, *, remedy: str) -> None:
        """Something is lost or wrong."""
        self._add("error", key, problem, remedy)

    def warning(self, key: str, problem: str, *, remedy: str) -> None:
        """It works, and somebody should act."""
        self._add("warning", key, problem, remedy)

    def info(self, key: str, problem: str, *, remedy: str) -> None:
        """Good to know."""
        self._add("info", key, problem, remedy)

    def failure(self, key: str, error: RegistryError) -> None:
        """Take in what the library said about an object."""
        self.error(key, str(error), remedy=error.hint)

    def sorted(self) -> tuple[Finding, ...]:
        """Return the findings, errors first, else in the order they came."""
        return tuple(finding for kept in self._kept.values() for finding in kept)

    def _add(self, severity: Severity, key: str, problem: str, remedy: str) -> None:
        self.errors += severity == "error"
        kept = self._kept[severity]
        if len(kept) >= FINDINGS_MAX:
            self.omitted += 1
            return
        kept.append(Finding(severity=severity, key=key, problem=problem, remedy=remedy))
