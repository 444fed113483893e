# SPDX-License-Identifier: Apache-2.0
"""Turns what a dialect read into the report: kind, trigger words, totals, last objections. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from livery_registry.intake.dialect import Context, Reading
from livery_registry.intake.family import wrong_family
from livery_registry.intake.header import TensorFile
from livery_registry.intake.limits import IntakeLimits
from livery_registry.manifest import KINDS
from livery_registry.report import CheckedLayer, CheckedToken, Problem, Report

_ITEM_BYTES_KEPT = {"F16": 2, "F32": 4, "BF16": 4, "F64": 4}
_TRIGGER_KEYS = ("modelspec.trigger_phrase", "ss_trigger_word", "trigger_word", "trigger_words")
_METHOD_KEYS = ("training_method", "modelspec.usage_hint", "ss_training_comment")


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """Everything that a report is made of.

    Attributes:
        tensors: The files that could be opened.
        dialect: Their dialect; empty when there is none.
        reading: What it understood.
        kind: What the author says they are, or None.
        context: The base, the bounds, the author's words.
    """

    tensors: Sequence[TensorFile]
    dialect: str
    reading: Reading
    kind: str | None
    context: Context


def report_on(findings: Findings) -> Report:
    """Make the report."""
    reading, limits = findings.reading, findings.context.limits
    metadata = _metadata(findings.tensors)
    kind = _kind(findings, metadata=metadata)
    words = _trigger_words(findings, metadata=metadata)
    tensor_count = sum(len(file.tensors) for file in findings.tensors)
    problems = [*_of_family(findings), *reading.problems, *_kind_problems(findings, kind=kind)]
    if not problems and len(reading.applied) != tensor_count:
        problems.append(_left_over(tensor_count - len(reading.applied)))
    problems += _warnings(reading, kind=kind, words=words)
    vectors = sum(token.count for token in reading.tokens)
    return Report(
        accepted=all(problem.is_warning for problem in problems),
        kind=kind,
        dialect=findings.dialect,
        rank=max((layer.rank for layer in reading.layers), default=0),
        target_count=len(reading.layers) or vectors,
        tensor_count=tensor_count,
        tensors_applied=len(reading.applied),
        trigger_words=words,
        problems=tuple(problems),
        resident_bytes=sum(map(_layer_bytes, reading.layers)) + sum(map(_bytes, reading.tokens)),
        training=_kept(metadata, limits=limits),
    )


def _of_family(findings: Findings) -> tuple[Problem, ...]:
    """The wrong family explains every other problem, so it comes first, and once."""
    if any(problem.reason == "WRONG_FAMILY" for problem in findings.reading.problems):
        return ()
    return wrong_family(findings.tensors, family=findings.context.profile.family)


def _metadata(files: Sequence[TensorFile]) -> dict[str, str]:
    return {key: value for file in files for key, value in file.metadata.items()}


def _kind(findings: Findings, *, metadata: Mapping[str, str]) -> str:
    if not findings.dialect:
        return ""
    if findings.dialect == "textual_inversion":
        return "textual_inversion"
    if findings.kind is not None:
        return "dreambooth" if findings.kind == "dreambooth" else "lora"
    says_so = "instance_prompt" in metadata or any(
        "dreambooth" in metadata.get(key, "").lower() for key in _METHOD_KEYS
    )
    return "dreambooth" if says_so else "lora"


def _kind_problems(findings: Findings, *, kind: str) -> list[Problem]:
    wanted = findings.kind
    if wanted is None or not kind or wanted == kind:
        return []
    return [
        Problem(
            reason="KIND_MISMATCH",
            message=f"the author says {wanted!r}, the files are a {kind}",
            remedy=f"Leave the kind out, or say one of: {', '.join(KINDS)}.",
        )
    ]


def _trigger_words(findings: Findings, *, metadata: Mapping[str, str]) -> tuple[str, ...]:
    if findings.reading.tokens:
        return tuple(dict.fromkeys(token.token for token in findings.reading.tokens))
    if findings.context.trigger_words:
        return findings.context.trigger_words
    for key in _TRIGGER_KEYS:
        words = [word.strip() for word in metadata.get(key, "").split(",")]
        found = [w for w in words if 0 < len(w) <= findings.context.limits.token_chars_max]
        if found:
            return tuple(found[:8])
    return ()


def _left_over(count: int) -> Problem:
    return Problem(
        reason="UNKNOWN_KEYS",
        message=f"{count} tensors would not be applied",
        remedy="Export the file again; nothing is dropped silently.",
    )


def _warnings(reading: Reading, *, kind: str, words: tuple[str, ...]) -> list[Problem]:
    found = []
    if reading.layers and all(_has_no_effect(layer) for layer in reading.layers):
        found.append(
            Problem(
                reason="NO_EFFECT",
                message="every layer is zero: images will not change",
                remedy="Check that the training ran and that the right file was saved.",
                is_warning=True,
            )
        )
    if kind == "dreambooth" and not words:
        found.append(
            Problem(
                reason="NO_TRIGGER",
                message="nothing says which words call the subject",
                remedy="Give the trigger words, such as `sks dog`.",
                is_warning=True,
            )
        )
    return found


def _has_no_effect(layer: CheckedLayer) -> bool:
    return layer.factors.is_zero()


def _layer_bytes(layer: CheckedLayer) -> int:
    return layer.factors.kept_bytes


def _bytes(token: CheckedToken) -> int:
    return _tensor_bytes(token.source, token.key)


def _tensor_bytes(file: TensorFile, key: str) -> int:
    entry = file.tensors[key]
    items = 1
    for size in entry.shape:
        items *= size
    return items * _ITEM_BYTES_KEPT[entry.dtype]


def _kept(metadata: Mapping[str, str], *, limits: IntakeLimits) -> dict[str, str]:
    """Keep the trainer's metadata within bounds; a text that was cut ends in an ellipsis."""
    chars_max = limits.training_value_chars_max
    return {
        key[:200]: value if len(value) <= chars_max else value[: chars_max - 1] + "…"
        for key, value in sorted(metadata.items())[: limits.training_keys_max]
    }
