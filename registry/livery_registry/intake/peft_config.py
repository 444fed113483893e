# SPDX-License-Identifier: Apache-2.0
"""What PEFT says of a LoRA beside its tensors: alpha, its exceptions, rsLoRA, DoRA.

Comes from `adapter_config.json` or from the header that diffusers writes. Patterns are compared as
module names and never run as regular expressions: they come from outside.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from livery_registry.intake.pairs import Alpha
from livery_registry.report import Problem

HEADER_KEY = "lora_adapter_metadata"
"""Under which diffusers keeps PEFT's configuration in a header."""

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
    return own if "lora_alpha" in own else None


def refuse_config(config: Mapping[str, Any], *, name: str) -> tuple[Problem, ...]:
    """Return why a LoRA with this configuration cannot be taken; usually nothing."""
    what = ""
    kind = config.get("peft_type", "LORA")
    if kind != "LORA":
        what = f"a PEFT {str(kind)[:40]}, not a LoRA"
    elif config.get("use_dora"):
        what = "a DoRA (use_dora)"
    elif config.get("lora_bias") or config.get("bias", "none") != "none":
        what = "a LoRA with biases"
    elif config.get("use_qalora") or config.get("use_bdlora"):
        what = "a QA-LoRA or BD-LoRA"
    if not what:
        return ()
    return (
        Problem(
            reason="UNSUPPORTED_DIALECT",
            message=f"{name} is {what}",
            remedy="Export or train it as a plain LoRA.",
        ),
    )


def alpha_from(config: Mapping[str, Any], *, module: str) -> Alpha | None:
    """Return the alpha of a module, or None when the configuration cannot be relied on."""
    patterns = config.get("alpha_pattern") or {}
    value = config.get("lora_alpha")
    if not isinstance(patterns, dict):
        return None
    for pattern, special in patterns.items():
        if not _PLAIN_PATTERN.fullmatch(pattern):
            return None
        name = pattern.strip("^$")
        if module == name or (not pattern.startswith("^") and module.endswith(f".{name}")):
            value = special
            break
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return Alpha(value=float(value), is_rslora=bool(config.get("use_rslora")))


def _parse(text: str | bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
