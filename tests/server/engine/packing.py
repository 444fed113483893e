# SPDX-License-Identifier: Apache-2.0
"""From an adapter file to a host adapter, by the road that a publish takes."""

from pathlib import Path

import torch

from livery_registry import (
    AdapterName,
    BaseProfile,
    ReleaseDraft,
    Version,
    check,
    read_canonical,
    write_canonical,
)
from livery_registry.assembly import assemble_manifest
from livery_server.adapters.packed import HostAdapter, pack


def pack_file(file: Path, *, profile: BaseProfile, folder: Path, dtype: torch.dtype) -> HostAdapter:
    """Check a file, write its canonical form, read it back verified, and pack it."""
    checked = check([file], profile=profile)
    assert checked.report.accepted, checked.report.problems
    path = folder / f"{file.stem}.canonical.safetensors"
    blob = write_canonical(checked, path)
    draft = ReleaseDraft(
        adapter=AdapterName.parse(f"test/{file.stem}"), version=Version.parse("1.0.0")
    )
    manifest = assemble_manifest(draft, checked=checked, canonical=blob)
    return pack(read_canonical(path, manifest), manifest=manifest, dtype=dtype)
