# SPDX-License-Identifier: Apache-2.0
"""Files that are checked and written as canonical ones."""

from pathlib import Path

from tabard_registry import Manifest, ReleaseDraft, Version, check, write_canonical
from tabard_registry.content.storing import assemble_manifest
from tests.registry.fakes import NAME, sd_profile, targets_of

PROFILE = sd_profile()
TARGETS = targets_of(PROFILE)


def canonicalise(path: Path, target: Path, *, kind: str | None = None) -> Manifest:
    """Check, write the canonical file, and make the manifest."""
    result = check([path], profile=PROFILE)
    draft = ReleaseDraft(adapter=NAME, version=Version.parse("1.0.0"), kind=kind)
    return assemble_manifest(draft, checked=result, canonical=write_canonical(result, target))
