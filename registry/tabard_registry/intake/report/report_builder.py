# SPDX-License-Identifier: Apache-2.0
"""Turns what a dialect read into the report: kind, trigger words, totals, last objections. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from tabard_registry.grammar import counted
from tabard_registry.intake.dialect import Context, Reading
from tabard_registry.intake.files.limits import IntakeLimits
from tabard_registry.intake.files.safetensors import TensorFile, file_name
from tabard_registry.intake.report.coverage import measure_coverage
from tabard_registry.intake.report.declared import read_declaration
from tabard_registry.intake.report.family import other_architecture, wrong_family
from tabard_registry.intake.report.sampling_words import sampling_said
from tabard_registry.release.change_methods import CHANGE_METHODS, MAGNITUDE
from tabard_registry.report import Mode, Problem, Report

_TRIGGER_KEYS = ("modelspec.trigger_phrase", "ss_trigger_word", "trigger_word", "trigger_words")
_ALPHAS_MAX = 16
_SAYABLE = dict.fromkeys(("lora", "dreambooth"), "lora or dreambooth")
"""What an author may call files that change layers."""
_METHOD_KEYS = ("training_method", "modelspec.usage_hint", "ss_training_comment")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadFiles:
    """Files as they were read, and all else that a report is made of.

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


def report_on(read: ReadFiles) -> Report:
    """Make the report."""
    reading, limits = read.reading, read.context.limits
    metadata = _metadata(read.tensors)
    kind = _kind(read, metadata=metadata)
    words = _trigger_words(read, metadata=metadata)
    tensor_count = sum(len(file.tensors) for file in read.tensors)
    objections = (_of_family(read), *reading.problems, _kind_problem(read, kind=kind))
    problems = [problem for problem in objections if problem is not None]
    if not any(not one.is_warning for one in problems) and len(reading.applied) != tensor_count:
        problems.append(_left_over(tensor_count - len(reading.applied)))
    profile = read.context.profile
    declared = read_declaration(read.tensors, context=read.context)
    problems += [*_warnings(reading, kind=kind, words=words), *declared.problems]
    is_accepted = all(problem.is_warning for problem in problems)
    vectors = sum(token.count for token in reading.tokens)
    return Report(
        accepted=is_accepted,
        kind=kind,
        dialect=read.dialect,
        rank=max((layer.rank for layer in reading.layers), default=0),
        target_count=len(reading.layers) + len(reading.changes) or vectors,
        tensor_count=tensor_count,
        tensors_applied=len(reading.applied),
        trigger_words=words,
        problems=tuple(_placed(problem, files=read.tensors) for problem in problems),
        resident_bytes=_resident_bytes(reading),
        training=_kept(metadata, limits=limits),
        mode=_mode(reading) if is_accepted else "",
        alphas=tuple(sorted(reading.alphas)[:_ALPHAS_MAX]),
        methods=_methods(reading),
        coverage=measure_coverage(reading, profile=profile),
        base_family=profile.family,
        base_fingerprint=profile.fingerprint,
        base_match=declared.match if is_accepted else "",
        declared=declared.words,
        sampling=sampling_said(metadata, family=profile.family).to_json(),
    )


def _placed(problem: Problem, *, files: Sequence[TensorFile]) -> Problem:
    """Say which of several files a problem is about: those that have the keys it quotes."""
    names = [
        file_name(one.path) for one in files if any(key in one.tensors for key in problem.keys)
    ]
    if len(files) == 1 or not names or any(name in problem.message for name in names):
        return problem
    return replace(problem, message=f"{problem.message} (in {' and '.join(names)})")


def _of_family(read: ReadFiles) -> Problem | None:
    """The wrong family explains every other problem, so it comes first, and once."""
    if any(problem.reason == "WRONG_FAMILY" for problem in read.reading.problems):
        return None
    family, config = read.context.profile.family, read.context.config
    wrong = wrong_family(read.tensors, family=family, config=config)
    return wrong or other_architecture(read.tensors, context=read.context)


def _metadata(files: Sequence[TensorFile]) -> dict[str, str]:
    return {key: value for file in files for key, value in file.metadata.items()}


def _kind(read: ReadFiles, *, metadata: Mapping[str, str]) -> str:
    if not read.dialect:
        return ""
    if read.dialect == "textual_inversion":
        return "textual_inversion"
    if read.kind is not None:
        return "dreambooth" if read.kind == "dreambooth" else "lora"
    says_so = "instance_prompt" in metadata or any(
        "dreambooth" in metadata.get(key, "").lower() for key in _METHOD_KEYS
    )
    return "dreambooth" if says_so else "lora"


def _kind_problem(read: ReadFiles, *, kind: str) -> Problem | None:
    wanted = read.kind
    if wanted is None or not kind or wanted == kind:
        return None
    return Problem(
        reason="KIND_MISMATCH",
        message=f"the author says {wanted!r}, the files are a {kind}",
        remedy=f"Leave the kind out, or say {_SAYABLE.get(kind, kind)}.",
    )


def _trigger_words(read: ReadFiles, *, metadata: Mapping[str, str]) -> tuple[str, ...]:
    taught = tuple(dict.fromkeys(token.token for token in read.reading.tokens))
    if taught and not read.reading.layers and not read.reading.changes:
        return taught
    return tuple(dict.fromkeys((*taught, *_words_given(read, metadata=metadata))))


def _words_given(read: ReadFiles, *, metadata: Mapping[str, str]) -> tuple[str, ...]:
    """Return the author's words, or else those of the files' headers."""
    if read.context.trigger_words:
        return read.context.trigger_words
    for key in _TRIGGER_KEYS:
        words = [word.strip() for word in metadata.get(key, "").split(",")]
        found = [w for w in words if 0 < len(w) <= read.context.limits.token_chars_max]
        if found:
            return tuple(found[:8])
    return ()


def _left_over(count: int) -> Problem:
    return Problem(
        reason="UNKNOWN_KEYS",
        message=f"{counted(count, 'tensor')} would not be applied",
        remedy="Export the file again; nothing is dropped silently.",
    )


def _warnings(reading: Reading, *, kind: str, words: tuple[str, ...]) -> list[Problem]:
    found = []
    if (reading.layers or reading.changes) and _has_no_effect(reading):
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


def _has_no_effect(reading: Reading) -> bool:
    return all(layer.factors.is_zero() for layer in reading.layers) and all(
        change.is_zero() for change in reading.changes
    )


def _mode(reading: Reading) -> Mode:
    return "merged" if reading.changes else "rows"


def _methods(reading: Reading) -> dict[str, int]:
    names = [layer.factors.method.known_as.title for layer in reading.layers]
    names += [CHANGE_METHODS[change.method].title for change in reading.changes]
    scaled = sum(1 for layer in reading.layers if layer.axis)
    scaled += sum(1 for change in reading.changes if MAGNITUDE in change.parts)
    return dict(sorted(Counter(names).items())) | ({"DoRA": scaled} if scaled else {})


def _resident_bytes(reading: Reading) -> int:
    return (
        sum(layer.factors.kept_bytes for layer in reading.layers)
        + sum(part.kept_bytes for change in reading.changes for part in change.parts.values())
        + sum(token.kept_bytes for token in reading.tokens)
    )


def _kept(metadata: Mapping[str, str], *, limits: IntakeLimits) -> dict[str, str]:
    """Keep the trainer's metadata within bounds; a text that was cut ends in an ellipsis."""
    chars_max = limits.training_value_chars_max
    return {
        key[:200]: value if len(value) <= chars_max else value[: chars_max - 1] + "…"
        for key, value in sorted(metadata.items())[: limits.training_keys_max]
    }
