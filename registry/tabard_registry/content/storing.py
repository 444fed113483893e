# SPDX-License-Identifier: Apache-2.0
"""Stores what a release is made of: original files, canonical file, manifest.

Nothing of it is visible until the log names it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from tabard_registry.acts import Act, Author
from tabard_registry.acts.publication import refuse_other, refuse_purged
from tabard_registry.content.blobs import Blobs
from tabard_registry.content.canonical import CANONICAL_NAME, write_canonical
from tabard_registry.errors import InvalidField, PreconditionFailed
from tabard_registry.grammar import counted
from tabard_registry.intake.layers.checked import Checked
from tabard_registry.release.manifest import BlobRef, ChangeTarget, Manifest, Target, TokenVectors
from tabard_registry.release.release import Release, ReleaseDraft
from tabard_registry.release.sampling import BY_AUTHOR, Sampling
from tabard_registry.scratch import Scratch
from tabard_registry.state.state import State

_STORE_ATTEMPTS_MAX = 5
Answer = TypeVar("Answer")


class Commit(Protocol):
    """What makes an act happen."""

    def __call__(self, act: Act[Answer], *, author: Author) -> Answer:
        """Commit one act, and return its answer."""
        ...


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
            f"{counted(len(checked.files), 'file', verbs=('was', 'were'))} checked, "
            f"{len(files)} to be published",
            reason="FIELD_INVALID",
            hint="Publish exactly the files that were checked.",
        )
    with Scratch("publish") as scratch:
        path = scratch.path / CANONICAL_NAME
        canonical = write_canonical(checked, path)
        manifest = assemble_manifest(draft, checked=checked, canonical=canonical)
        existing = refuse_needless(state, manifest)
        if existing is not None and existing.digest != manifest.digest:
            # The same files with other words, which are not taken: their manifest is nobody's.
            return manifest
        for source, file in zip(files, checked.files, strict=True):
            blobs.put_file(source, digest=file.digest)
        blobs.put_file(path, digest=canonical.sha256)
    blobs.put_bytes(manifest.to_bytes())
    return manifest


def commit_stored(
    store: Callable[[State], Act[Answer]],
    *,
    state: Callable[[], State],
    commit: Commit,
    author: Author,
) -> Answer:
    """Store bytes and commit the act that announces them, again when a collection came between.

    Args:
        store: Stores the bytes for a state, and makes the act.
        state: Returns the newest snapshot.
        commit: Commits an act.
        author: Who acts.
    """
    attempt = 1
    while True:
        try:
            return commit(store(state()), author=author)
        except PreconditionFailed as error:
            # What looked stored may be deleted by a collection: look again, store what lacks.
            if error.reason != "BYTES_COLLECTED" or attempt == _STORE_ATTEMPTS_MAX:
                raise
            attempt += 1


def refuse_needless(state: State, manifest: Manifest) -> Release | None:
    """Refuse before anything is stored what the log would refuse afterwards.

    Returns:
        The release, if it is there already.

    Raises:
        AlreadyExists: The version holds something else.
        PreconditionFailed: Some of the bytes were purged.
    """
    line = state.adapters.get(manifest.adapter)
    existing = line.by_version.get(manifest.version) if line else None
    if existing is not None:
        refuse_other(existing, manifest)
    refuse_purged(state, manifest)
    return existing


def assemble_manifest(draft: ReleaseDraft, *, checked: Checked, canonical: BlobRef) -> Manifest:
    """Make the manifest of a release.

    Raises:
        InvalidField: The draft insists on a kind that the files are not.
    """
    report = checked.report
    return Manifest(
        adapter=draft.adapter,
        version=draft.version,
        kind=_kind(draft.kind, found=report.kind),
        purpose=draft.purpose,
        base_family=checked.base_family,
        base_fingerprint=checked.base_fingerprint,
        original=tuple(
            BlobRef(name=file.name, sha256=file.digest, bytes=file.size_bytes)
            for file in checked.files
        ),
        canonical=canonical,
        targets=tuple(
            Target(
                component=x.component,
                module=x.module,
                rank=x.rank,
                scale=x.scale,
                magnitude_axis=x.axis,
            )
            for x in checked.layers
        ),
        changes=tuple(
            ChangeTarget(
                component=x.component,
                parameter=x.parameter,
                method=x.method,
                scale=x.scale,
                parts=tuple(x.parts),
                options=x.options,
            )
            for x in checked.changes
        ),
        rank=report.rank,
        tokens=tuple(
            TokenVectors(token=x.token, component=x.component, count=x.count)
            for x in checked.tokens
        ),
        trigger_words=report.trigger_words or draft.trigger_words,
        dialect=report.dialect,
        training=report.training,
        notes=draft.notes,
        licence=draft.licence,
        title=draft.title,
        parent=draft.parent,
        sampling=draft.sampling.said_by(BY_AUTHOR).over(Sampling.from_json(report.sampling)),
    )


def _kind(wanted: str | None, *, found: str) -> str:
    if wanted in (None, found):
        return found
    if {wanted, found} == {"lora", "dreambooth"}:
        return str(wanted)
    raise InvalidField(
        f"the files are a {found}, not a {wanted}",
        reason="FIELD_INVALID",
        hint="Leave the kind out, or check the files with it.",
    )
