# SPDX-License-Identifier: Apache-2.0
"""Puts a manifest together: from what the author says and what the check found. Pure."""

from __future__ import annotations

from tabard_registry.errors import InvalidField
from tabard_registry.manifest import BlobRef, ChangeTarget, Manifest, Target, TokenVectors
from tabard_registry.release import ReleaseDraft
from tabard_registry.report import Checked


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
        parent=draft.parent,
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
