# SPDX-License-Identifier: Apache-2.0
"""Words that a file teaches beside its layers: `bundle_emb.<word>.<tensor>`, whoever wrote these.

OneTrainer and LyCORIS' tools write them. A dialect reads the layers, and knows nothing of words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from tabard_registry.intake.dialect import Context, Reading
from tabard_registry.intake.dialects.module_names import TEXT_COMPONENT
from tabard_registry.intake.dialects.textual_inversion import (
    PAIR,
    count_vectors,
    find_token_problem,
    find_vector_problem,
)
from tabard_registry.intake.files.safetensors import TensorFile
from tabard_registry.intake.layers.checked import CheckedToken
from tabard_registry.report import Problem

PREFIX = "bundle_emb."
"""What the keys of bundled words begin with."""

_KEY = re.compile(
    r"bundle_emb\.(?P<word>.+)\.(?P<part>clip_[lg]|clip_[lg]_out|emb_params|string_to_param\.\*)",
    re.DOTALL,
)
_OUTPUTS = ("clip_l_out", "clip_g_out")
"""Vectors that OneTrainer puts in place of what a text encoder gives out."""


def bundled_keys(file: TensorFile) -> frozenset[str]:
    """Return the keys of bundled words."""
    return frozenset(key for key in file.tensors if key.startswith(PREFIX))


def read_bundle(file: TensorFile, *, context: Context) -> Reading:
    """Check every word that a file brings along; never raises for what is in it."""
    keys = bundled_keys(file)
    words: dict[str, dict[str, str]] = {}
    strange: list[str] = []
    for key in sorted(keys):
        found = _KEY.fullmatch(key)
        if found is None or found["part"] in _OUTPUTS:
            strange.append(key)
            continue
        words.setdefault(found["word"], {})[key] = found["part"]
    problems = [_not_taken(strange)] if strange else []
    tokens: list[CheckedToken] = []
    for word, parts in words.items():
        encoders = _encoders(parts, context=context)
        found_problems = list(_problems(file, word, parts, encoders=encoders, context=context))
        problems += found_problems
        tokens += [
            CheckedToken(
                token=word,
                component=component,
                count=count_vectors(file, key),
                source=file,
                key=key,
            )
            for key, component in sorted(encoders.items(), key=lambda item: item[1])
            if not found_problems
        ]
    return Reading(tokens=tuple(tokens), applied=keys, problems=tuple(problems))


def _encoders(parts: Mapping[str, str], *, context: Context) -> Mapping[str, str]:
    """Return each key of a word with the text encoder whose word it is, where there is one."""
    components = sorted(context.profile.token_widths)
    if len(components) == 1:
        return {key: components[0] for key, part in parts.items() if part != "clip_g"}
    return {key: PAIR[part] for key, part in parts.items() if PAIR.get(part) in components}


def _problems(
    file: TensorFile,
    word: str,
    parts: Mapping[str, str],
    *,
    encoders: Mapping[str, str],
    context: Context,
) -> Iterator[Problem]:
    token_problem = find_token_problem(word, key=next(iter(parts)), context=context)
    if token_problem is not None:
        yield token_problem
    counts = {count_vectors(file, key) for key in encoders}
    components = list(encoders.values())
    if (
        len(encoders) < len(parts)
        or sorted(components) != sorted(context.profile.token_widths)
        or len(counts) > 1
    ):
        had = ", ".join(f"{count_vectors(file, key)} in {part}" for key, part in parts.items())
        yield Problem(
            reason="INCOMPLETE_PAIR",
            message=f"the bundled word {word[:80]!r} has vectors {had}; this base has "
            f"{' and '.join(sorted(context.profile.token_widths)) or f'no {TEXT_COMPONENT}'}",
            remedy="Bundle as many vectors for each text encoder of the base, and no others.",
            keys=tuple(parts),
        )
        return
    for key, component in encoders.items():
        problem = find_vector_problem(file, key, component=component, context=context)
        if problem is not None:
            yield problem


def _not_taken(keys: Iterable[str]) -> Problem:
    keys = tuple(keys)
    outputs = [key for key in keys if key.endswith(_OUTPUTS)]
    what = "replace what a text encoder gives out" if outputs else "are of no known embedding"
    return Problem(
        reason="UNSUPPORTED_DIALECT",
        message=f"{len(keys)} bundled tensors {what}, {(outputs or list(keys))[0][:80]!r} first",
        remedy="Train the embedding as an input of the text encoder, or leave it out of the file.",
        keys=keys,
    )
