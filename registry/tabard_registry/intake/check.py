# SPDX-License-Identifier: Apache-2.0
"""Checks the files of one release against a base: which dialect, what is wrong, what applies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tabard_registry.grammar import counted
from tabard_registry.intake.dialect import Context, Dialect, Reading
from tabard_registry.intake.dialects.bundled import read_bundle
from tabard_registry.intake.dialects.comfyui import Comfyui
from tabard_registry.intake.dialects.configs import refuse_configs
from tabard_registry.intake.dialects.diffusers import Diffusers
from tabard_registry.intake.dialects.foreign import find_foreign
from tabard_registry.intake.dialects.kohya import Kohya
from tabard_registry.intake.dialects.peft import Peft
from tabard_registry.intake.dialects.textual_inversion import TextualInversion
from tabard_registry.intake.files.limits import IntakeLimits
from tabard_registry.intake.files.pickles import PickleReader, is_pickled, open_pickled
from tabard_registry.intake.files.safetensors import TensorFile, file_name, open_tensors
from tabard_registry.intake.fused import split, with_fused
from tabard_registry.intake.layers.checked import Checked, CheckedFile
from tabard_registry.intake.methods.peft_config import read_config
from tabard_registry.intake.plans import keep_plan, read_by_plan
from tabard_registry.intake.profile import BaseProfile
from tabard_registry.intake.report.report_builder import ReadFiles, report_on
from tabard_registry.refs.digest import Digest, sha256_file
from tabard_registry.report import Problem, Report

DIALECTS: tuple[Dialect, ...] = (Kohya(), Diffusers(), Comfyui(), Peft(), TextualInversion())
"""Every dialect that is taken. A new one is one file, and one word here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opened:
    files: tuple[tuple[Path, Future[Digest]], ...] = ()
    tensors: tuple[TensorFile, ...] = ()
    config: Mapping[str, Any] | None = None
    problems: tuple[Problem, ...] = ()


def check(
    files: Sequence[Path],
    *,
    profile: BaseProfile,
    kind: str | None = None,
    trigger_words: Sequence[str] = (),
    limits: IntakeLimits | None = None,
    pickles: PickleReader | None = None,
    takes_contradictions: bool = False,
) -> Checked:
    """Check files without publishing them. Never raises for what is in them.

    Args:
        files: One or more safetensors files, and PEFT's `adapter_config.json` if there is one.
        profile: The base that they shall fit.
        kind: What the author says they are, or None.
        trigger_words: Words that the author gives.
        limits: Bounds; None for the defaults.
        pickles: What reads pickled files; None refuses them.
        takes_contradictions: Whether an adapter whose own words contradict the base is taken, with
            a warning.

    Raises:
        OSError: A file cannot be opened or read.
    """
    limits = limits or IntakeLimits()
    # Hashing lets other threads run: on two cores the check of a large file costs its hash alone.
    with ThreadPoolExecutor(limits.files_max, thread_name_prefix="hashing") as hashing:
        opened = _open(files, limits=limits, pickles=pickles, hashing=hashing)
        context = Context(
            profile=profile,
            limits=limits,
            trigger_words=tuple(trigger_words),
            config=opened.config,
            files=opened.tensors,
            takes_contradictions=takes_contradictions,
        )
        dialect, reading = ("", Reading(problems=opened.problems))
        if not opened.problems:
            planned = read_by_plan(context)
            dialect, reading = planned or _read(opened.tensors, context=context)
            if planned is None:
                keep_plan(context, dialect=dialect, reading=reading)
        read = ReadFiles(
            tensors=opened.tensors, dialect=dialect, reading=reading, kind=kind, context=context
        )
        report = report_on(read)
        return _checked(report, opened=opened, reading=reading, profile=profile)


def _open(
    files: Sequence[Path],
    *,
    limits: IntakeLimits,
    pickles: PickleReader | None,
    hashing: ThreadPoolExecutor,
) -> _Opened:
    if not 0 < len(files) <= limits.files_max:
        problem = Problem(
            reason="TOO_LARGE" if files else "EMPTY",
            message=f"{counted(len(files), 'file')}; a release has 1 to {limits.files_max}",
            remedy="Send the adapter's own files only.",
        )
        return _Opened(problems=(problem,))
    hashed: list[tuple[Path, Future[Digest]]] = []
    tensors: list[TensorFile] = []
    configs: list[Mapping[str, Any]] = []
    problems: list[Problem] = []
    for path in files:
        config = read_config(path)
        found = None if config is not None else _open_one(path, limits=limits, pickles=pickles)
        if config is not None:
            configs.append(config)
        if isinstance(found, Problem):
            problems.append(found)
            continue
        if found is not None:
            tensors.append(found)
        hashed.append((path, hashing.submit(sha256_file, path)))
    if len(configs) > 1:
        problems.append(_two_configs())
    return _Opened(
        files=tuple(hashed),
        tensors=tuple(tensors),
        config=configs[0] if configs else None,
        problems=tuple(problems),
    )


def _open_one(
    path: Path, *, limits: IntakeLimits, pickles: PickleReader | None
) -> TensorFile | Problem:
    if is_pickled(path):
        return open_pickled(path, reader=pickles, limits=limits)
    return open_tensors(path, limits=limits)


def _read(files: Sequence[TensorFile], *, context: Context) -> tuple[str, Reading]:
    """Find the one dialect of all files, and read them in it, and the words that come along."""
    bundles = [read_bundle(file, context=context) for file in files]
    files = [
        file.without(bundle.applied) if bundle.applied else file
        for file, bundle in zip(files, bundles, strict=True)
    ]
    found = [
        find_foreign(
            file.tensors,
            name=file_name(file.path),
            profile=context.profile,
            software=file.metadata.get("software", ""),
        )
        for file in files
    ]
    if foreign := tuple(problem for problem in found if problem is not None):
        return "", Reading(problems=foreign)
    if not any(file.tensors for file in files):
        has_words = any(bundle.applied for bundle in bundles)
        return "", Reading(problems=(_only_words() if has_words else _no_tensors(),))
    shares = {d.name: [d.claimed(file) for file in files] for d in DIALECTS}
    claiming = _without_guesses([d for d in DIALECTS if any(shares[d.name])])
    if len(claiming) != 1:
        keys = tuple(
            sorted(next(iter(share)) for d in claiming for share in shares[d.name] if share)
        )
        problem = _mixed(claiming, keys=keys) if claiming else _unknown(files)
        return "", Reading(problems=(problem,))
    dialect = claiming[0]
    unclaimed = [
        key
        for file, share in zip(files, shares[dialect.name], strict=True)
        for key in file.tensors
        if key not in share
    ]
    if unclaimed:
        return dialect.name, Reading(problems=(_unclaimed(dialect, unclaimed),))
    if not dialect.has_configs:
        stray = [refuse_configs(file, context=context, dialect=dialect.name) for file in files]
        if refused := [problem for problem in stray if problem is not None]:
            return dialect.name, Reading(problems=tuple(dict.fromkeys(refused)))
    wider = replace(context, profile=with_fused(context.profile))
    return dialect.name, _merge(
        [
            (split(dialect.read(file, context=wider), profile=context.profile), bundle)
            for file, bundle in zip(files, bundles, strict=True)
        ]
    )


def _without_guesses(claiming: list[Dialect]) -> list[Dialect]:
    """Leave out a textual inversion beside another: it is known by shapes, the others by names."""
    named = [dialect for dialect in claiming if dialect.name != TextualInversion.name]
    return named if len(named) == 1 else claiming


def _merge(pairs: Sequence[tuple[Reading, Reading]]) -> Reading:
    """Make one reading of those of each file: of its layers, and of its words."""
    readings = [reading for pair in pairs for reading in pair]
    layers = sorted((x for r in readings for x in r.layers), key=lambda x: (x.component, x.module))
    changes = sorted(
        (x for r in readings for x in r.changes), key=lambda x: (x.component, x.parameter)
    )
    problems = [p for r in readings for p in r.problems]
    names = Counter(
        [
            *(f"{x.component}.{x.module}.weight" for x in layers),
            *(f"{x.component}.{x.parameter}" for x in changes),
        ]
    )
    twice = sorted(name.removesuffix(".weight") for name, count in names.items() if count > 1)
    if twice:
        problems.append(
            Problem(
                reason="DUPLICATE_TARGET",
                message=counted(len(twice), "layer", verbs=("is", "are"))
                + f" changed by two files, {twice[0]} first"
                if len(pairs) > 1
                else f"{twice[0]} is changed alone and in a fused layer",
                remedy="Publish the two as two adapters and combine them in a request.",
                keys=tuple(twice),
            )
        )
    words = Counter((x.token, x.component) for r in readings for x in r.tokens)
    if again := sorted(token for (token, _), count in words.items() if count > 1):
        problems.append(
            Problem(
                reason="DUPLICATE_TARGET",
                message=f"the word {again[0][:80]!r} is taught by two files",
                remedy="Publish the files as two adapters.",
            )
        )
    return Reading(
        layers=tuple(layers),
        changes=tuple(changes),
        tokens=tuple(x for r in readings for x in r.tokens),
        applied=frozenset(
            f"{i}:{key}" for i, pair in enumerate(pairs) for r in pair for key in r.applied
        ),
        alphas=frozenset().union(*(r.alphas for r in readings)),
        problems=tuple(problems),
    )


def _checked(report: Report, *, opened: _Opened, reading: Reading, profile: BaseProfile) -> Checked:
    return Checked(
        report=report,
        files=tuple(_checked_file(path, digest=found.result()) for path, found in opened.files),
        layers=reading.layers if report.accepted else (),
        changes=reading.changes if report.accepted else (),
        tokens=reading.tokens if report.accepted else (),
        base_family=profile.family,
        base_fingerprint=profile.fingerprint,
    )


def _checked_file(path: Path, *, digest: Digest) -> CheckedFile:
    return CheckedFile(
        path=path, name=file_name(path), digest=digest, size_bytes=path.stat().st_size
    )


def _two_configs() -> Problem:
    return Problem(
        reason="MIXED_DIALECTS",
        message="two adapter_config.json files: it is not clear which belongs to which tensors",
        remedy="Save UNet and text encoder in one file with diffusers' save_lora_weights.",
    )


def _no_tensors() -> Problem:
    return Problem(
        reason="EMPTY", message="there are no tensors", remedy="Send the .safetensors file too."
    )


def _only_words() -> Problem:
    return Problem(
        reason="EMPTY",
        message="there are bundled words, and no layers that they belong to",
        remedy="Publish each embedding as a file of its own.",
    )


def _mixed(claiming: Sequence[Dialect], *, keys: tuple[str, ...]) -> Problem:
    return Problem(
        reason="MIXED_DIALECTS",
        message=f"keys of several dialects: {', '.join(d.name for d in claiming)}",
        remedy="Publish them as separate adapters and combine them in a request.",
        keys=keys,
    )


def _unknown(files: Sequence[TensorFile]) -> Problem:
    keys = [key for file in files for key in file.tensors]
    return Problem(
        reason="UNSUPPORTED_DIALECT",
        message=f"none of {counted(len(keys), 'key')} is of a dialect that is known, "
        f"{keys[0][:80]!r} first",
        remedy="Send a LoRA as kohya, diffusers or PEFT write it, or a textual inversion.",
        keys=tuple(keys),
    )


def _unclaimed(dialect: Dialect, keys: Sequence[str]) -> Problem:
    return Problem(
        reason="UNKNOWN_KEYS",
        message=counted(len(keys), "key", verbs=("is", "are"))
        + f" not of the {dialect.name} dialect like the others, {keys[0][:80]!r} first",
        remedy="Export the file again without them; nothing is dropped silently.",
        keys=tuple(keys),
    )
