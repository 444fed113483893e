# SPDX-License-Identifier: Apache-2.0
"""What came of the parts so far, kept in a folder, so that a run that stopped is taken up again.

The results are those of one state of the tree: its commit, and what is not committed yet.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.long.parts import SUITES, Part


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of one part.

    Attributes:
        has_passed: Whether nothing failed.
        seconds: How long it took.
        told: The line in which it said what it ran.
    """

    has_passed: bool
    seconds: float
    told: str


class Results:
    """Results by part, in a folder of their own beside what the parts printed."""

    def __init__(self, folder: Path, *, tree: str) -> None:
        """Take up what is there of this state of the tree."""
        self.folder = folder / tree
        self._file = self.folder / "results.json"
        self._by_key: dict[str, Result] = {}
        if self._file.exists():
            known = json.loads(self._file.read_text(encoding="utf-8"))
            self._by_key = {key: Result(**fields) for key, fields in known.items()}

    def forget(self) -> None:
        """Begin again from nothing."""
        self._by_key = {}
        shutil.rmtree(self.folder, ignore_errors=True)

    def keep(self, part: Part, result: Result) -> None:
        """Keep what came of a part. A kill leaves the file as it was or as it should be."""
        self._by_key[part.key] = result
        self.folder.mkdir(parents=True, exist_ok=True)
        document = {key: asdict(one) for key, one in self._by_key.items()}
        fresh = self._file.with_suffix(".new")
        fresh.write_text(json.dumps(document, indent=1), encoding="utf-8")
        fresh.replace(self._file)

    def log_of(self, part: Part) -> Path:
        """Where the output of a part lies."""
        return self.folder / f"{part.key}.log"

    def left(self, parts: Sequence[Part]) -> list[Part]:
        """Give what is to run: what never ran to its end, then what failed."""
        unknown = [part for part in parts if part.key not in self._by_key]
        failed = [part for part in parts if part.key in self._by_key and not self._passed(part)]
        return unknown + failed

    def summary(self, parts: Sequence[Part]) -> str:
        """Tell it all: a line a suite, then a line for each part that has not passed."""
        rows = [f"{'suite':<12}{'parts':>6}{'passed':>8}{'failed':>8}{'left':>6}{'seconds':>9}"]
        for suite in SUITES:
            mine = [part for part in parts if part.suite == suite]
            known = [self._by_key[part.key] for part in mine if part.key in self._by_key]
            passed = sum(result.has_passed for result in known)
            counts = f"{len(mine):>6}{passed:>8}{len(known) - passed:>8}{len(mine) - len(known):>6}"
            if mine:
                rows.append(f"{suite:<12}{counts}{sum(one.seconds for one in known):>9.0f}")
        for part in self.left(parts):
            result = self._by_key.get(part.key)
            rows.append(f"FAILED {part.key}: {result.told}" if result else f"LEFT {part.key}")
        return "\n".join(rows)

    def _passed(self, part: Part) -> bool:
        return self._by_key[part.key].has_passed


def state_of(root: Path) -> str:
    """Name the state of a tree: its commit, and a digest of what is not committed."""
    commit = _git(root, "rev-parse", "--short=12", "HEAD").decode().strip()
    changed = _git(root, "diff", "HEAD") + _git(root, "status", "--porcelain", "-uall")
    if not changed:
        return commit
    return f"{commit}-{hashlib.sha256(changed).hexdigest()[:8]}"


def _git(root: Path, *arguments: str) -> bytes:
    return subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True).stdout
