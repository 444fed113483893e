# SPDX-License-Identifier: Apache-2.0
"""Reads a file like one that was read before: what its header decides is kept, by base and header.

Numbers and texts that a reading looked at are no part of a plan: they are compared in each file,
and where one differs, the file is read anew. So a plan never changes what comes out.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass

from tabard_registry.intake.dialect import Context, Reading
from tabard_registry.intake.files.kept import Kept
from tabard_registry.intake.files.safetensors import TensorFile
from tabard_registry.intake.layers.checked import CheckedLayer
from tabard_registry.intake.layers.factors import Factors

_CONTENT_BYTES_MAX = 256 << 10
"""Of the numbers that a reading looked at: a few alphas. Whoever reads factors has no plan."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """What was read of a file.

    Attributes:
        dialect: Its dialect.
        layers: Its layers; the file that each names is not to be read.
        reading: All else.
        texts: Free texts of the header that were asked for, None where there is none.
        keys: Tensors whose numbers were looked at.
        content: Their bytes.
    """

    dialect: str
    layers: tuple[CheckedLayer, ...]
    reading: Reading
    texts: Mapping[str, str | None]
    keys: tuple[str, ...]
    content: bytes


_KEPT: Kept[Hashable, _Plan] = Kept(sizes_max=1 << 15)
"""Plans by all that a reading may know beside the file's content; sizes are tensors."""


def read_by_plan(context: Context) -> tuple[str, Reading] | None:
    """Return dialect and reading of a release of one file, if one like it was read before.

    Raises:
        OSError: The file cannot be read.
    """
    if not _is_plain(context):
        return None
    (file,) = context.files
    plan = _KEPT.get(_key(context))
    if plan is None or not _holds(plan, file):
        return None
    layers = tuple([_layer_of(layer, file) for layer in plan.layers])
    read = plan.reading
    return plan.dialect, Reading(layers=layers, applied=read.applied, alphas=read.alphas)


def keep_plan(context: Context, *, dialect: str, reading: Reading) -> None:
    """Keep what was read of a file for the next one like it.

    Only sound files of low-rank layers have a plan: words take their names from the file's, and
    other changes may hold what was computed of its numbers.
    """
    if not _is_plain(context) or reading.problems or reading.tokens or reading.changes:
        return
    (file,) = context.files
    keys = tuple(sorted(file.looked_at))
    size_bytes = sum(file.tensors[key].end - file.tensors[key].start for key in keys)
    is_unlike_others = file.metadata.are_listed or size_bytes > _CONTENT_BYTES_MAX
    if is_unlike_others or not all(layer.factors.source is file for layer in reading.layers):
        return
    unread = TensorFile(file.path, metadata={}, layout=file.layout, size_bytes=file.size_bytes)
    plan = _Plan(
        dialect=dialect,
        layers=tuple(_layer_of(layer, unread) for layer in reading.layers),
        reading=Reading(applied=reading.applied, alphas=reading.alphas),
        texts={key: file.metadata.get(key) for key in sorted(file.metadata.asked)},
        keys=keys,
        content=file.content(keys),
    )
    _KEPT.put(_key(context), plan, size=len(file.tensors))


def forget_plans() -> None:
    """Read every file anew; for tests that compare the two."""
    _KEPT.clear()


def _is_plain(context: Context) -> bool:
    return len(context.files) == 1 and context.config is None


def _key(context: Context) -> Hashable:
    """Return all that a reading may know, but the file's content; a layout is only like itself."""
    layout = context.files[0].layout
    words, takes = context.trigger_words, context.takes_contradictions
    return layout, context.profile, context.limits, words, takes


def _holds(plan: _Plan, file: TensorFile) -> bool:
    """Whether a file says what the plan's own said, wherever that was looked at."""
    texts = file.metadata
    return (
        all([texts.get(key) == text for key, text in plan.texts.items()])
        and file.content(plan.keys) == plan.content
        and file.are_finite()
    )


def _layer_of(layer: CheckedLayer, file: TensorFile) -> CheckedLayer:
    """Return the same layer of another file; called so often that `replace` would be slow."""
    known = layer.factors
    return CheckedLayer(
        component=layer.component,
        module=layer.module,
        scale=layer.scale,
        factors=Factors(
            source=file,
            method=known.method,
            keys=known.keys,
            measured=known.measured,
            module=known.module,
            magnitude_key=known.magnitude_key,
            axis=known.axis,
            rows=known.rows,
        ),
    )
