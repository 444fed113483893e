# SPDX-License-Identifier: Apache-2.0
"""Releases as files again: the author's bytes, the canonical file, or another trainer's format.

A verified release comes in, files in a folder go out. What a format cannot hold is refused by
name; what it holds, it holds exactly: the intake reads the same arrays and scales back.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray
from safetensors.numpy import save_file

from tabard_registry.content.canonical import CANONICAL_NAME, Canonical, read_canonical
from tabard_registry.errors import PreconditionFailed
from tabard_registry.export import diffusers, embedding, kohya
from tabard_registry.export.tensors import CannotHold
from tabard_registry.refs.digest import Digest, sha256_file
from tabard_registry.release.manifest import BlobRef, Manifest
from tabard_registry.release.release import Release
from tabard_registry.scratch import Scratch, remove_abandoned

FORMATS = ("original", "canonical", "kohya", "diffusers")
"""What a release can be written as."""

_NAME_CHARS_MAX = 100
_WRITERS = {"kohya": kohya.write, "diffusers": diffusers.write}


class Source(Protocol):
    """What an export needs of a registry."""

    def manifest(self, digest: Digest) -> Manifest:
        """Return a verified manifest."""
        ...

    def fetch(self, blob: BlobRef, target: Path) -> None:
        """Copy a blob, verified."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedFile:
    """One file that was written.

    Attributes:
        path: Where.
        name: What it is called.
        digest: Digest of its bytes.
        size_bytes: Their number.
    """

    path: Path
    name: str
    digest: Digest
    size_bytes: int


def export_release(
    source: Source, release: Release, *, style: str, folder: Path
) -> tuple[ExportedFile, ...]:
    """Write the files of a release into an existing folder.

    Args:
        source: The registry.
        release: The release; it may be withdrawn, as long as its bytes are there.
        style: One of `FORMATS`.
        folder: Where to; files of the same names are replaced, and what killed exports left in it
            is removed.

    Raises:
        PreconditionFailed: It has no files of its own, or the format cannot hold it.
        NotFound, CorruptRegistry, StoreUnavailable: Its bytes are gone, damaged or out of reach.
    """
    remove_abandoned(folder)
    manifest = source.manifest(release.digest)
    if manifest.canonical is None:
        members = ", ".join(f"{one.adapter}@{one.version}" for one in manifest.members)
        raise _refused(
            f"{release} is a recipe and has no file of its own", hint=f"Pull its members: {members}"
        )
    if style == "original":
        names = _distinct([blob.name for blob in manifest.original])
        return tuple(
            _fetched(source, blob, target=folder / name)
            for blob, name in zip(manifest.original, names, strict=True)
        )
    stem = f"{release.adapter.name}-{release.version}"
    if style == "canonical":
        target = folder / f"{stem}.{CANONICAL_NAME}"
        return (_fetched(source, manifest.canonical, target=target),)
    return (
        _converted(source, manifest, style=style, target=folder / f"{stem}.{style}.safetensors"),
    )


def _fetched(source: Source, blob: BlobRef, *, target: Path) -> ExportedFile:
    source.fetch(blob, target)
    return ExportedFile(
        path=target, name=target.name, digest=blob.sha256, size_bytes=target.stat().st_size
    )


def _converted(source: Source, manifest: Manifest, *, style: str, target: Path) -> ExportedFile:
    assert manifest.canonical is not None
    # A folder of our own: a link that lies under one of our names leads nowhere from there.
    with Scratch("export", parent=target.parent) as own:
        kept, made = own.path / "canonical", own.path / "made"
        source.fetch(manifest.canonical, kept)
        canonical = read_canonical(kept, manifest, verify=False)
        try:
            tensors, metadata = _rewritten(canonical, manifest, style=style)
        except CannotHold as refused:
            raise _refused(
                f"{manifest.adapter}@{manifest.version} cannot be written as a {style} file: "
                f"{refused}",
                hint="Pull it in its original format, or as canonical.",
            ) from refused
        save_file(tensors, made, metadata=metadata)
        made.replace(target)
    return ExportedFile(
        path=target,
        name=target.name,
        digest=sha256_file(target),
        size_bytes=target.stat().st_size,
    )


def _rewritten(
    canonical: Canonical, manifest: Manifest, *, style: str
) -> tuple[Mapping[str, NDArray[Any]], dict[str, str]]:
    """Return the tensors of a format, and what its header says."""
    words = {"tabard.release": f"{manifest.adapter}@{manifest.version}"}
    if not canonical.layers and not canonical.changes:
        tensors, more = embedding.write(canonical, manifest)
    else:
        tensors, more = _WRITERS[style](canonical, manifest)
    return tensors, {**words, **more}


def _distinct(names: list[str]) -> list[str]:
    """Make names harmless, and different where two files of a release have the same one."""
    found: list[str] = []
    for number, name in enumerate(names, start=1):
        plain = re.sub(r"[^A-Za-z0-9._-]", "_", name).lstrip(".")[-_NAME_CHARS_MAX:] or "file"
        found.append(plain if plain not in found else f"{number}-{plain}")
    return found


def _refused(message: str, *, hint: str) -> PreconditionFailed:
    return PreconditionFailed(message, reason="FORMAT_CANNOT_HOLD", hint=hint)
