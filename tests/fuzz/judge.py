# SPDX-License-Identifier: Apache-2.0
"""Checks a case and judges the checker: no exception, nothing taken that means something else.

Whatever is taken must be readable for the safetensors package, be applied to the last tensor, and
be in the canonical file what the reference reads. Whatever is refused must say why, and what to do.
"""

from __future__ import annotations

import re
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabard_registry import Checked, check
from tabard_registry.content.canonical import write_canonical
from tabard_registry.report import Problem, Report
from tests.fuzz.case import Case
from tests.fuzz.changes.demand import Demand
from tests.fuzz.document import decode
from tests.fuzz.reference.formulas import change_of
from tests.fuzz.reference.reader import Meaning, Unsound, open_plain, read
from tests.fuzz.seeds import PROFILE, Target

MESSAGE_CHARS_MAX = 4_000
_METHODS = {"hadamard": "hada_", "kronecker": "lokr_", "lora": ""}
_TOLERANCE = 1e-6

Array = NDArray[Any]


class CaseFailed(AssertionError):
    """The checker broke a promise; the text says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a case.

    Attributes:
        accepted: Whether the file was taken.
        reason: The first reason of a refusal, or empty.
        is_strict: Whether it was refused though the reference could read it.
    """

    accepted: bool
    reason: str
    is_strict: bool


def judge(case: Case, *, folder: Path) -> Outcome:
    """Check a case in a folder of its own.

    Raises:
        CaseFailed: A promise was broken.
    """
    files = _written(case, folder=folder)
    try:
        checked = check(files, profile=PROFILE, trigger_words=case.trigger_words)
        report = checked.report
        canonical = _canonical(checked, folder=folder) if report.accepted else b""
    except Exception as error:
        raise CaseFailed(f"{case.name}: raised\n{traceback.format_exc()}") from error
    _judge_words(case, report)
    meaning, why = _meaning(case)
    if report.accepted:
        _require(case, meaning is not None, f"accepted, but {why}")
        _require(case, case.demand is not Demand.BREAKS, "accepted, but it was broken")
        assert meaning is not None
        _judge_meaning(case, checked, meaning, canonical)
    elif case.demand is Demand.KEEPS:
        raise CaseFailed(f"{case.name}: refused, but it was sound: {report.problems}")
    reason = next((p.reason for p in report.problems if not p.is_warning), "")
    is_strict = meaning is not None and not report.accepted
    return Outcome(accepted=report.accepted, reason=reason, is_strict=is_strict)


def _written(case: Case, *, folder: Path) -> list[Path]:
    path = folder / "adapter.safetensors"
    path.write_bytes(case.content)
    if case.config is None:
        return [path]
    config = folder / "adapter_config.json"
    config.write_bytes(case.config)
    return [path, config]


def _canonical(checked: Checked, *, folder: Path) -> bytes:
    path = folder / "canonical.safetensors"
    path.unlink(missing_ok=True)
    write_canonical(checked, path)
    return path.read_bytes()


def _meaning(case: Case) -> tuple[Meaning | None, str]:
    try:
        return read(case.content, config=case.config, trigger_words=case.trigger_words), ""
    except Unsound as error:
        return None, str(error)


def _judge_words(case: Case, report: Report) -> None:
    for problem in report.problems:
        _judge_problem(case, problem)
    _require(case, report.accepted == all(p.is_warning for p in report.problems), "no reason")
    texts = [report.kind, report.dialect, *report.trigger_words]
    for text in (*texts, *report.training, *report.training.values()):
        _require(case, _is_text(text), f"{text!r} is no text")


def _judge_problem(case: Case, problem: Problem) -> None:
    _require(case, re.fullmatch(r"[A-Z][A-Z_]+", problem.reason) is not None, problem.reason)
    for text in (problem.message, problem.remedy, *problem.keys):
        _require(case, _is_text(text), f"{text!r} is no text")
        _require(case, len(text) <= MESSAGE_CHARS_MAX, f"{len(text)} characters: {text[:200]}")
    _require(case, bool(problem.message and problem.remedy), f"says nothing: {problem}")


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _judge_meaning(case: Case, checked: Checked, meaning: Meaning, canonical: bytes) -> None:
    report = checked.report
    counts = (report.tensors_applied, report.tensor_count, meaning.tensor_count)
    _require(case, len(set(counts)) == 1, f"applied, found, read: {counts}")
    arrays = {key: decode(tensor).astype(float) for key, tensor in open_plain(canonical).items()}
    found = _applied(checked, arrays)
    _require(case, found.changes.keys() == meaning.changes.keys(), "other layers are changed")
    for target, change in meaning.changes.items():
        _require(case, _is_close(found.changes[target], change), f"another change of {target}")
    _require(case, found.magnitudes.keys() == meaning.magnitudes.keys(), "other magnitudes")
    for target, lengths in meaning.magnitudes.items():
        same = np.array_equal(found.magnitudes[target], lengths.astype(np.float32))
        _require(case, same, f"another magnitude of {target}")
    _require(case, list(found.vectors) == list(meaning.vectors), "other tokens")
    for token, vectors in meaning.vectors.items():
        same = np.array_equal(found.vectors[token], vectors.astype(np.float32))
        _require(case, same, f"other vectors of {token!r}")


def _applied(checked: Checked, arrays: dict[str, Array]) -> Meaning:
    """Return what the canonical file changes; every array of it must be used."""
    meaning = Meaning()
    left = dict(arrays)
    for layer in checked.layers:
        target = (layer.component, layer.module)
        prefix = f"{layer.component}:{layer.module}"
        parts = {name: left.pop(f"{prefix}:{name}") for name in ("down", "up")}
        meaning.changes[target] = layer.scale * change_of(parts, shape=_shape(target))[0]
        if layer.axis:
            meaning.magnitudes[target] = left.pop(f"{prefix}:magnitude")
    for change in checked.changes:
        target = (change.component, change.parameter.removesuffix(".weight"))
        stem, prefix = f"{change.component}:{change.parameter}:", _METHODS[change.method]
        parts = {name: left.pop(f"{stem}{change.method}.{name}") for name in change.parts}
        if "magnitude" in parts:
            meaning.magnitudes[target] = parts.pop("magnitude").reshape(-1)
        named = {prefix + name: part for name, part in parts.items()}
        meaning.changes[target] = change.scale * change_of(named, shape=_shape(target))[0]
    for token in checked.tokens:
        meaning.vectors[token.token] = left.pop(f"{token.component}:tokens")
    assert not left, f"nobody uses {sorted(left)}"
    return meaning


def _shape(target: Target) -> tuple[int, ...]:
    shape = PROFILE.modules[target[0]][target[1]]
    return (shape.outputs, shape.inputs, *shape.kernel)


def _is_close(found: Array, wanted: Array) -> bool:
    peak = float(np.abs(wanted).max())
    with np.errstate(all="ignore"):
        difference = float(np.abs(found - wanted).max())
    return found.shape == wanted.shape and difference <= _TOLERANCE * peak


def _require(case: Case, is_kept: bool, promise: str) -> None:
    if not is_kept:
        raise CaseFailed(f"{case.name}: {promise}")
