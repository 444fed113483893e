# SPDX-License-Identifier: Apache-2.0
"""Changes that are not low-rank: checked, written and read again, and what must be found."""

from pathlib import Path

import numpy as np

from tabard_registry import (
    Canonical,
    Checked,
    Manifest,
    ReleaseDraft,
    Version,
    read_canonical,
    write_canonical,
)
from tabard_registry.content.storing import assemble_manifest
from tests.registry.fakes import NAME, Tensors
from tests.registry.intake.dense_files import checked
from tests.registry.intake.lora_files import reasons

Expected = dict[str, tuple[str, float, tuple[str, ...]]]
"""Parameter to method, scale and parts."""


def kept(result: Checked, folder: Path) -> tuple[Manifest, Canonical]:
    """The manifest and the canonical file of accepted files, written and read again."""
    path = folder / "canonical"
    blob = write_canonical(result, path)
    draft = ReleaseDraft(adapter=NAME, version=Version.parse("1.0.0"))
    manifest = assemble_manifest(draft, checked=result, canonical=blob)
    again = Manifest.from_bytes(manifest.to_bytes())
    assert again == manifest and again.digest == manifest.digest
    return again, read_canonical(path, again)


def assert_taken_whole(tensors: Tensors, expected: Expected, *, folder: Path) -> None:
    """Every tensor is applied, the manifest names every parameter, the bytes are the writer's."""
    result = checked(folder, tensors)
    manifest, canonical = kept(result, folder)

    assert reasons(result.report) == []
    assert result.report.tensors_applied == len(tensors) == result.report.tensor_count
    assert {
        f"{x.component}:{x.parameter}": (x.method, x.scale, x.parts) for x in manifest.changes
    } == expected
    assert manifest.is_merged_only and result.report.mode == "merged"
    written = sorted(np.sort(found, axis=None).tolist() for found in tensors.values() if found.ndim)
    parts = [part for change in canonical.changes for part in change.parts.values()]
    parts += [part for layer in canonical.layers for part in (layer.down, layer.up)]
    assert sorted(np.sort(part, axis=None).tolist() for part in parts) == written
    assert result.report.resident_bytes == sum(part.nbytes for part in parts)
