# SPDX-License-Identifier: Apache-2.0
"""What PEFT says of an adapter beside its tensors: alpha, its exceptions, rsLoRA, DoRA.

Comes from `adapter_config.json` or from the header that diffusers writes. What is there is
understood, or the adapter is refused: nothing of it is passed over.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tabard_registry.intake.methods.module_tensors import Alpha
from tabard_registry.intake.methods.peft_fields import judge_config
from tabard_registry.intake.methods.peft_patterns import BadPatterns, exceptions_of, is_number
from tabard_registry.regular_file import open_regular
from tabard_registry.report import Problem

CONFIG_NAME = "adapter_config.json"
"""Where PEFT keeps a configuration."""
HEADER_KEY = "lora_adapter_metadata"
"""Under which diffusers keeps PEFT's configurations in a header."""
BARE = ""
"""The component of a configuration that names none."""

_ALPHA_FIELDS = {"LORA": "lora_alpha", "LOHA": "alpha", "LOKR": "alpha"}
_TERMS_MAX = 64
_CONFIG_BYTES_MAX = 1 << 20
_REMEDY = "Export the file again with its own trainer; nothing in it is dropped silently."


def read_config(path: Path) -> Mapping[str, Any] | None:
    """Return the configuration if the file is an `adapter_config.json`, else None.

    Raises:
        OSError: The file cannot be read.
    """
    with open_regular(path) as file:
        content = file.read(_CONFIG_BYTES_MAX + 1)
    if len(content) > _CONFIG_BYTES_MAX or not content.lstrip().startswith(b"{"):
        return None
    found = _parse(content)
    return found if found is not None and "peft_type" in found else None


def header_configs(
    metadata: Mapping[str, str], *, components: Iterable[str]
) -> Mapping[str, Mapping[str, Any]] | Problem:
    """Return what a header says, by component; `BARE` is where it names none.

    diffusers' pipelines name the component of every field, its models do not.

    Args:
        metadata: The header's texts.
        components: Those that are known.
    """
    text = metadata.get(HEADER_KEY)
    if text is None:
        return {}
    fields = _parse(text)
    if not fields:
        what = "is not a table in JSON" if fields is None else "says nothing"
        return _unreadable(f"{HEADER_KEY} in the header {what}")
    found: dict[str, dict[str, Any]] = {}
    for name, value in fields.items():
        component, dot, own = name.partition(".")
        if dot and component not in components:
            return _unreadable(f"{HEADER_KEY} in the header speaks of {component[:60]!r}")
        found.setdefault(component if dot else BARE, {})[own if dot else name] = value
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class PeftConfig:
    """A configuration that was understood.

    Attributes:
        fields: Its fields.
        alphas: alpha of single modules.
        ranks: Rank of single modules.
    """

    fields: Mapping[str, Any]
    alphas: Mapping[str, float] = field(default_factory=dict)
    ranks: Mapping[str, float] = field(default_factory=dict)

    def alpha(self, module: str) -> Alpha | None:
        """Return the alpha of a module; None where adapters of this kind have none."""
        name = _ALPHA_FIELDS.get(self.fields.get("peft_type", "LORA"))
        if name is None:
            return None
        rank = self.ranks.get(module, self.fields.get("r"))
        return Alpha(
            value=float(self.alphas.get(module, self.fields[name])),
            is_rslora=bool(self.fields.get("use_rslora")),
            is_dora=bool(self.fields["use_dora"]) if "use_dora" in self.fields else None,
            rank=int(rank) if is_number(rank) and rank >= 1 else None,
        )


def understand(
    fields: Mapping[str, Any], *, source: str, modules: Iterable[tuple[str, ...]]
) -> tuple[PeftConfig | None, tuple[Problem, ...]]:
    """Judge a configuration; return it with warnings, or None with what speaks against it.

    Args:
        fields: The configuration.
        source: What messages call it.
        modules: All names of every module that it may speak of, ours first.
    """
    problems = judge_config(fields, source=source)
    if any(not problem.is_warning for problem in problems):
        return None, problems
    name = _ALPHA_FIELDS.get(fields.get("peft_type", "LORA"))
    if name is not None and not is_number(fields.get(name)):
        return None, (_no_alpha(name, source=source),)
    if name is not None and not (fields[name] or fields.get("alpha_pattern")):
        return None, (_zero_alpha(name, source=source),)
    known = tuple(modules)
    try:
        alphas = exceptions_of(fields.get("alpha_pattern"), modules=known, field="alpha_pattern")
        # Tensors of another rank are refused.
        ranks = exceptions_of(
            fields.get("rank_pattern"), modules=known, field="rank_pattern", may_overlap=True
        )
    except BadPatterns as error:
        return None, (_bad_patterns(error, source=source),)
    return PeftConfig(fields=fields, alphas=alphas, ranks=ranks), problems


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
    if config.get("coft") and not (is_number(reach) and reach > 0):
        return None
    return RotationRule(terms=terms, reach=reach)


def _parse(text: str | bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _unreadable(message: str) -> Problem:
    return Problem(reason="UNSUPPORTED_CONFIG", message=message, remedy=_REMEDY)


def _no_alpha(name: str, *, source: str) -> Problem:
    return Problem(
        reason="ALPHA_UNKNOWN",
        message=f"{source} has no number for `{name}`",
        remedy=f"Write the `{name}` that it was trained with there; PEFT's own default is 8.",
    )


def _zero_alpha(name: str, *, source: str) -> Problem:
    return Problem(
        reason="BAD_ALPHA",
        message=f"{source} has `{name}` 0, so that its layers change nothing",
        remedy=f"Write the `{name}` that it was trained with there.",
    )


def _bad_patterns(error: BadPatterns, *, source: str) -> Problem:
    return Problem(
        reason="UNSUPPORTED_CONFIG",
        message=f"{source}: {error}",
        remedy="Write the names of the layers there, as the file has them, each with its number.",
    )
