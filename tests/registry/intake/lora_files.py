# SPDX-License-Identifier: Apache-2.0
"""Checks of LoRA files on one small base, shared by the tests of the dialects."""

from pathlib import Path

from tabard_registry import Checked, Report, check
from tests.registry.fakes import (
    Tensors,
    kohya_name,
    sd_profile,
    targets_of,
    write,
)

PROFILE = sd_profile(layers_per_block=2, text_layers=2)
TARGETS = targets_of(PROFILE)


def checked(folder: Path, tensors: Tensors, **options: object) -> Checked:
    """Check tensors as one file."""
    metadata = options.pop("metadata", None)
    path = write(folder / "x.safetensors", tensors, metadata=metadata)  # type: ignore[arg-type]
    return check([path], profile=PROFILE, **options)  # type: ignore[arg-type]


def renamed(tensors: Tensors, table: dict[str, str]) -> Tensors:
    """Rename kohya keys of known modules to another trainer's."""
    found: Tensors = {}
    for component, module in TARGETS:
        stem = kohya_name(component, module)
        for old, new in table.items():
            if f"{stem}.{old}" in tensors:
                found[f"{component}.{module}{new}"] = tensors[f"{stem}.{old}"]
    return found


def reasons(report: Report) -> list[str]:
    """Reasons of the problems."""
    return [problem.reason for problem in report.problems]


def assert_all_applied(result: Checked, *, scale: float, dialect: str) -> None:
    """Every target is there once, at one scale, and no tensor is left."""
    report = result.report
    assert (report.accepted, report.problems, report.dialect) == (True, (), dialect)
    assert report.tensors_applied == report.tensor_count > 0
    assert {(x.component, x.module) for x in result.layers} == set(TARGETS)
    assert {x.scale for x in result.layers} == {scale}
