# SPDX-License-Identifier: Apache-2.0
"""From an adapter file to a host adapter, by the road that a publish takes."""

from collections.abc import Sequence
from pathlib import Path

import torch

from tabard_registry import (
    AdapterName,
    BaseProfile,
    IntakeLimits,
    ReleaseDraft,
    Version,
    check,
    read_canonical,
    write_canonical,
)
from tabard_registry.content.storing import assemble_manifest
from tabard_server.adapters.host_adapter import HostAdapter, pack


def pack_file(
    file: Path,
    *,
    profile: BaseProfile,
    folder: Path,
    dtype: torch.dtype,
    trigger_words: Sequence[str] = (),
    beside: Sequence[Path] = (),
    limits: IntakeLimits | None = None,
) -> HostAdapter:
    """Check a file and what lies beside it, write the canonical form, read it back, and pack it."""
    checked = check([file, *beside], profile=profile, trigger_words=trigger_words, limits=limits)
    assert checked.report.accepted, checked.report.problems
    path = folder / f"{file.stem}.canonical.safetensors"
    blob = write_canonical(checked, path)
    draft = ReleaseDraft(
        adapter=AdapterName.parse(f"test/{file.stem.replace('_', '-')}"),
        version=Version.parse("1.0.0"),
    )
    manifest = assemble_manifest(draft, checked=checked, canonical=blob)
    return pack(read_canonical(path, manifest), manifest=manifest, dtype=dtype)
