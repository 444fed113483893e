# SPDX-License-Identifier: Apache-2.0
"""A base that people know by a name, and reports on files for it."""

from pathlib import Path

from tabard_registry import BaseProfile, Report
from tests.registry.intake.dense_files import PROFILE, checked, lora

NAMED = BaseProfile(
    family=PROFILE.family,
    fingerprints=PROFILE.fingerprints,
    modules=PROFILE.modules,
    token_widths=PROFILE.token_widths,
    vectors=PROFILE.vectors,
    names=("some-lab/Stable-Diffusion-v1-5",),
)


def report_of(folder: Path, *, profile: BaseProfile = NAMED, **metadata: str) -> Report:
    """The report on a LoRA whose header says this."""
    return checked(folder, lora(), profile=profile, metadata=metadata).report
