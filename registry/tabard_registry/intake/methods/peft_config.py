# SPDX-License-Identifier: Apache-2.0
"""What PEFT says of an adapter beside its tensors: alpha, its exceptions, rsLoRA, DoRA.

Comes from `adapter_config.json` or from the header that diffusers writes. Patterns are compared as
module names and never run as regular expressions: they come from outside.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

from tabard_registry.intake.methods.module_tensors import Alpha
from tabard_registry.report import Problem

HEADER_KEY = "lora_adapter_metadata"
"""Under which diffusers keeps PEFT's configuration in a header."""

_TYPES = ("LORA", "LOHA", "LOKR", "OFT", "BOFT", "IA3")
_TERMS_MAX = 64
_CONFIG_BYTES_MAX = 1 << 20
_PLAIN_PATTERN = re.compile(r"\^?[\w.]+\$?", re.ASCII)


def read_config(path: Path) -> Mapping[str, Any] | None:
    """Return the configuration if the file is an `adapter_config.json`, else None.

    Raises:
        OSError: The file cannot be read.
    """
    if path.stat().st_size > _CONFIG_BYTES_MAX:
        return None
    content = path.read_bytes()
    if not content.lstrip().startswith(b"{"):
        return None
    found = _parse(content)
    return found if found is not None and "peft_type" in found else None


def header_config(metadata: Mapping[str, str], *, component: str) -> Mapping[str, Any] | None:
    """Return what a diffusers header says of one component, or None when it says nothing."""
    text = metadata.get(HEADER_KEY)
    found = _parse(text) if text else None
    prefix = f"{component}."
    own = {k.removeprefix(prefix): v for k, v in (found or {}).items() if k.startswith(prefix)}
    return own if own.keys() & {"lora_alpha", "alpha"} else None


def refuse_config(config: Mapping[str, Any], *, name: str) -> Problem | None:
    """Return why an adapter with this configuration cannot be taken; usually None."""
    kind = config.get("peft_type", "LORA")
    if kind not in _TYPES:
        what = f"a PEFT {str(kind)[:40]}, not one of {', '.join(_TYPES)}"
    elif config.get("bias", "none") != "none":
        what = "an adapter that replaces the biases of its base"
    elif config.get("fan_in_fan_out"):
        what = "an adapter of transposed layers"
    elif config.get("use_qalora") or config.get("use_bdlora"):
        what = "a QA-LoRA or BD-LoRA"
    else:
        return None
    return Problem(
        reason="UNSUPPORTED_DIALECT",
        message=f"{name} is {what}",
        remedy="Export or train it as a plain LoRA, with `bias` none.",
    )


def alpha_from(config: Mapping[str, Any], *, module: str) -> Alpha | None:
    """Return the alpha of a module, or None when the configuration cannot be relied on."""
    is_lora = config.get("peft_type", "LORA") == "LORA"
    value = _special(config, "alpha_pattern", module=module)
    if value is None:
        value = config.get("lora_alpha" if is_lora else "alpha")
    if not _is_number(value):
        return None
    if is_lora:
        return Alpha(
            value=float(value),
            is_rslora=bool(config.get("use_rslora")),
            is_dora=bool(config["use_dora"]) if "use_dora" in config else None,
        )
    rank = _special(config, "rank_pattern", module=module) or config.get("r")
    return Alpha(value=float(value), rank=int(rank) if _is_number(rank) and rank >= 1 else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class RotationRule:
    """How PEFT's OFT makes rotations of its numbers.

    Attributes:
        terms: Terms of the series; None: exactly.
        reach: How far all blocks together may turn; None: as far as they do.
    """

    terms: int | None
    reach: float | None


def rotation_rule(config: Mapping[str, Any] | None) -> RotationRule | None:
    """Return what the configuration of an OFT says, or None when it cannot be relied on."""
    if config is None or config.get("peft_type") != "OFT":
        return None
    terms = config.get("num_cayley_neumann_terms") if config.get("use_cayley_neumann") else None
    reach = config.get("eps") if config.get("coft") else None
    if "use_cayley_neumann" not in config:
        return None
    if config.get("use_cayley_neumann") and not (isinstance(terms, int) and 0 < terms < _TERMS_MAX):
        return None
    if config.get("coft") and not (_is_number(reach) and reach > 0):
        return None
    return RotationRule(terms=terms, reach=reach)


def _special(config: Mapping[str, Any], field: str, *, module: str) -> Any:
    """Return the exception for a module, None without one, "" where a pattern is not a name."""
    patterns = config.get(field) or {}
    if not isinstance(patterns, dict):
        return ""
    for pattern, special in patterns.items():
        if not _PLAIN_PATTERN.fullmatch(pattern):
            return ""
        name = pattern.strip("^$")
        if module == name or (not pattern.startswith("^") and module.endswith(f".{name}")):
            return "" if special is None else special
    return None


def _is_number(value: Any) -> TypeGuard[float]:
    return not isinstance(value, bool) and isinstance(value, int | float) and math.isfinite(value)


def _parse(text: str | bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
