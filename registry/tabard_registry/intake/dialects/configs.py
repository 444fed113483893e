# SPDX-License-Identifier: Apache-2.0
"""Which configuration of PEFT belongs to which tensors: from the header, or from beside the file.

A file and what came along in; configurations by component out, or the problem with them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tabard_registry.intake.dialect import Context
from tabard_registry.intake.dialects.module_names import spellings_of
from tabard_registry.intake.files.safetensors import TensorFile, file_name
from tabard_registry.intake.methods.peft_config import (
    BARE,
    CONFIG_NAME,
    HEADER_KEY,
    PeftConfig,
    header_configs,
    understand,
)
from tabard_registry.intake.profile import DENOISERS
from tabard_registry.report import Problem

TEXT_ENCODERS = ("text_encoder", "text_encoder_2", "text_encoder_3")
COMPONENTS = (*DENOISERS, *TEXT_ENCODERS)
"""What keys and headers name; of denoisers a header names the base's."""

_REMEDY = "Export the file again with its own trainer; nothing in it is dropped silently."


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundConfig:
    """A configuration as it was found.

    Attributes:
        fields: Its fields.
        source: What messages call it.
    """

    fields: Mapping[str, Any]
    source: str


def find_configs(
    file: TensorFile, *, context: Context
) -> Mapping[str, FoundConfig] | tuple[Problem, ...]:
    """Return the configurations by component; `BARE` for one that names none."""
    components = (context.profile.denoiser or DENOISERS[0], *TEXT_ENCODERS)
    header = header_configs(file.metadata, components=components)
    if isinstance(header, Problem):
        return (header,)
    found = {
        component: FoundConfig(fields=fields, source=f"{HEADER_KEY} in the header")
        for component, fields in header.items()
    }
    if context.config is None:
        return found
    if BARE in found and found[BARE].fields != context.config:
        return (_misplaced(f"{HEADER_KEY} in the header and {CONFIG_NAME} differ"),)
    found[BARE] = FoundConfig(fields=context.config, source=CONFIG_NAME)
    return found


def understood(
    found: FoundConfig, *, context: Context
) -> tuple[PeftConfig | None, tuple[Problem, ...]]:
    """Judge a configuration; it may speak of any layer of the base."""
    return understand(found.fields, source=found.source, modules=spellings_of(context.profile))


def refuse_configs(file: TensorFile, *, context: Context, dialect: str) -> Problem | None:
    """Refuse a configuration beside tensors of a dialect that has none."""
    if context.config is not None:
        return _misplaced(
            f"{CONFIG_NAME} is PEFT's, the tensors of {file_name(file.path)} are in "
            f"the {dialect} dialect"
        )
    if HEADER_KEY in file.metadata:
        return _misplaced(
            f"{HEADER_KEY} in the header is diffusers', the tensors are in the {dialect} dialect"
        )
    return None


def refuse_other_components(
    found: Mapping[str, FoundConfig], *, has_bare: bool, has_denoiser: bool
) -> Problem | None:
    """Refuse a configuration that names a component where the keys name none, or the reverse."""
    if BARE in found and not has_bare:
        return _misplaced(f"{found[BARE].source} names no component, and the keys do")
    if has_bare and found and (BARE not in found or has_denoiser):
        source = next(iter(found.values())).source
        return _misplaced(f"{source} names a component, and keys name none")
    return None


def no_config_of(component: str, *, found: Mapping[str, FoundConfig]) -> Problem:
    """Refuse tensors of a component that is passed over by who speaks of another one."""
    source = next(iter(found.values())).source
    return _misplaced(f"{source} says nothing of {component}, of which there are tensors")


def no_tensors_of(component: str, *, found: Mapping[str, FoundConfig]) -> Problem:
    """Refuse a configuration of a component that has lost its tensors."""
    return _misplaced(
        f"{found[component].source} configures {component}, of which there are no tensors"
    )


def _misplaced(message: str) -> Problem:
    return Problem(reason="UNSUPPORTED_CONFIG", message=message, remedy=_REMEDY)
