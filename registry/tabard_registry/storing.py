# SPDX-License-Identifier: Apache-2.0
"""Stores what a release is made of: original files, canonical file, manifest.

Nothing of it is visible until the log names it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from tabard_registry.acts import refuse_other
from tabard_registry.acts.publication import refuse_purged
from tabard_registry.assembly import assemble_manifest
from tabard_registry.blobs import Blobs
from tabard_registry.canonical import write_canonical
from tabard_registry.errors import InvalidField
from tabard_registry.manifest import Manifest
from tabard_registry.release import ReleaseDraft
from tabard_registry.report import Checked
from tabard_registry.state import State


def store_release(
    blobs: Blobs,
    draft: ReleaseDraft,
    *,
    checked: Checked,
    files: Sequence[Path],
    state: State,
) -> Manifest:
    """Store checked files with their manifest; idempotent.

    Raises:
        AlreadyExists: The version holds something else; nothing was stored.
        PreconditionFailed: Some of the bytes were purged; nothing was stored.
        CorruptRegistry: A file changed since it was checked.
        StoreUnavailable: The store did not take it.
    """
    if len(files) != len(checked.files):
        raise InvalidField(
            f"{len(checked.files)} files were checked, {len(files)} are to be published",
            reason="FIELD_INVALID",
            hint="Publish exactly the files that were checked.",
        )
    with tempfile.TemporaryDirectory(prefix="tabard-publish-") as folder:
        path = Path(folder) / "canonical.safetensors"
        canonical = write_canonical(checked, path)
        manifest = assemble_manifest(draft, checked=checked, canonical=canonical)
        refuse_needless(state, manifest)
        for source, file in zip(files, checked.files, strict=True):
            blobs.put_file(source, digest=file.digest)
        blobs.put_file(path, digest=canonical.sha256)
    blobs.put_bytes(manifest.to_bytes())
    return manifest


def refuse_needless(state: State, manifest: Manifest) -> None:
    """Refuse before anything is stored what the log would refuse afterwards.

    Raises:
        AlreadyExists: The version holds something else.
        PreconditionFailed: Some of the bytes were purged.
    """
    line = state.adapters.get(manifest.adapter)
    existing = line.by_version.get(manifest.version) if line else None
    if existing is not None:
        refuse_other(existing, manifest)
    refuse_purged(state, manifest)
