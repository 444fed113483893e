# SPDX-License-Identifier: Apache-2.0
"""Every field of PEFT's configurations, and at which values an adapter can be worn.

A configuration comes in; what speaks against it goes out. A field that nobody knows passes while
it is off, with a warning: the next PEFT writes new ones. Anything else is refused by name.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tabard_registry.report import Problem

_SHOWN_MAX = 5
_CHARS_MAX = 60
_AS_LORA = "Export or train it as a plain LoRA, without this field."
_EXTRACT = (
    "Merge it into its base with PEFT, and make an adapter of the result with `tabard extract`."
)
_CONVERT = (
    "Save it with PEFT's `save_pretrained(FOLDER, path_initial_model_for_weight_conversion=START)`,"
    " START being the adapter before training: that makes a plain LoRA of it."
)
_PLAIN_INITS = ("gaussian", "eva", "orthogonal", "mica")
"""What is initialised so leaves the base as it was."""
_CONVERTIBLE_INITS = ("pissa", "olora", "corda", "lora_ga")
"""What changes the base, and can be saved as a difference to the real one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    """What one field may say.

    Attributes:
        passes: Whether an adapter with this value can be worn.
        why: What any other value means.
        remedy: What to do then.
    """

    passes: Callable[[Any], bool]
    why: str = ""
    remedy: str = _AS_LORA


def judge_config(config: Mapping[str, Any], *, source: str) -> tuple[Problem, ...]:
    """Return why an adapter with this configuration cannot be taken, and what to be warned of.

    Args:
        config: The configuration, of any kind.
        source: What messages call it.
    """
    kind = config.get("peft_type", "LORA")
    rules = RULES.get(kind) if isinstance(kind, str) else None
    if rules is None:
        return (_other_kind(kind, source=source),)
    found = [
        _refused(field, value, rule=rule, source=source)
        for field, value in config.items()
        if (rule := rules.get(field)) is not None and not rule.passes(value)
    ]
    unknown = {field: value for field, value in config.items() if field not in rules}
    return (*found, *_unknown(unknown, source=source))


def is_off(value: Any) -> bool:
    """Whether a value switches nothing on: null, false, 0, "none" or empty."""
    return not value or value == "none"


def _any(value: Any) -> bool:
    return True


def _is_plain_init(value: Any) -> bool:
    return value is None or isinstance(value, bool) or str(value).lower() in _PLAIN_INITS


def _off(why: str, *, remedy: str = _AS_LORA) -> _Rule:
    return _Rule(passes=is_off, why=why, remedy=remedy)


def _passing(*fields: str) -> dict[str, _Rule]:
    return dict.fromkeys(fields, _Rule(passes=_any))


_SWITCH = _Rule(
    passes=lambda value: value is None or isinstance(value, int),
    why="it is neither true nor false",
    remedy="Write there what it was trained with.",
)
_OF_ALL = {
    # Who made it, of what, and where.
    **_passing("peft_type", "peft_version", "task_type", "auto_mapping", "revision"),
    **_passing("base_model_name_or_path", "inference_mode"),
    # Which layers were chosen: the tensors say it.
    **_passing("target_modules", "exclude_modules", "layers_to_transform", "layers_pattern"),
    "modules_to_save": _off("whole modules of the base are replaced", remedy=_EXTRACT),
    "bias": _off("biases of the base are replaced", remedy="Train it with `bias` none."),
    "fan_in_fan_out": _off("its layers are transposed"),
}
_PATTERNED = _passing("r", "rank_pattern", "alpha_pattern")
"""What the alphas and ranks of layers are read from."""
_LYCORIS = {
    **_OF_ALL,
    **_PATTERNED,
    # How it was trained; and how its factors are laid out, which their shapes say.
    **_passing("alpha", "rank_dropout", "module_dropout", "init_weights", "use_effective_conv2d"),
}

RULES: Mapping[str, Mapping[str, _Rule]] = {
    "LORA": {
        **_OF_ALL,
        **_PATTERNED,
        **_passing("lora_alpha"),
        **dict.fromkeys(("use_rslora", "use_dora"), _SWITCH),
        # A bias of the up factor is a tensor of its own.
        **_passing("lora_bias"),
        # How it was trained.
        **_passing("lora_dropout", "ensure_weight_tying", "runtime_config", "megatron_core"),
        # What an initialisation or a switch that is judged below would do.
        **_passing("loftq_config", "eva_config", "corda_config", "lora_ga_config"),
        **_passing("qalora_group_size"),
        "init_lora_weights": _Rule(
            passes=_is_plain_init,
            why="this initialisation is none of those that are known to leave the base as it is",
            remedy=_EXTRACT,
        ),
        "alora_invocation_tokens": _off("it is worn only behind the words that invoke it"),
        "layer_replication": _off("it is for a base with layers repeated"),
        "arrow_config": _off("a router chooses among several adapters", remedy=_EXTRACT),
        "kasa_config": _off("KaSA changes the base", remedy=_EXTRACT),
        "monteclora_config": _off("MonteCLoRA draws its factors at random"),
        "velora_config": _off("VeLoRA saves more than factors"),
        "use_qalora": _off("QA-LoRA reads groups of inputs"),
        "use_bdlora": _off("BD-LoRA has factors in blocks"),
        "megatron_config": _off("its layers are split over devices"),
        "trainable_token_indices": _off("words of the base are replaced"),
        "target_parameters": _off("it changes parameters that are not layers"),
    },
    "LOHA": _LYCORIS,
    "LOKR": {
        **_LYCORIS,
        **_passing("decompose_both", "decompose_factor", "rank_dropout_scale"),
    },
    "OFT": {
        **_OF_ALL,
        **_passing("r", "oft_block_size", "module_dropout", "init_weights", "block_share"),
        # How it turns.
        **_passing("coft", "eps", "use_cayley_neumann", "num_cayley_neumann_terms"),
    },
    "BOFT": {
        **_OF_ALL,
        **_passing("boft_block_size", "boft_block_num", "boft_n_butterfly_factor"),
        **_passing("boft_dropout", "init_weights"),
    },
    "IA3": {**_OF_ALL, **_passing("feedforward_modules", "init_ia3_weights")},
}
"""By kind of adapter and name of field; the kinds are those that are taken."""


def _other_kind(kind: Any, *, source: str) -> Problem:
    return Problem(
        reason="UNSUPPORTED_CONFIG",
        message=f"by {source} it is a PEFT {str(kind)[:40]}, not one of {', '.join(RULES)}",
        remedy=_EXTRACT,
    )


def _refused(field: str, value: Any, *, rule: _Rule, source: str) -> Problem:
    is_convertible = isinstance(value, str) and value.lower().startswith(_CONVERTIBLE_INITS)
    return Problem(
        reason="UNSUPPORTED_CONFIG",
        message=f"{source} has `{field}` {_shown(value)}: {rule.why}",
        remedy=_CONVERT if field == "init_lora_weights" and is_convertible else rule.remedy,
    )


def _unknown(fields: Mapping[str, Any], *, source: str) -> list[Problem]:
    on = {field: value for field, value in fields.items() if not is_off(value)}
    found = []
    if on:
        named = [f"`{field[:_CHARS_MAX]}` {_shown(value)}" for field, value in on.items()]
        found.append(
            Problem(
                reason="UNSUPPORTED_CONFIG",
                message=f"{source} has {_listed(named)}, of which this version does not know what "
                "it changes",
                remedy="Export it without the field if it changes nothing, or update Tabard.",
            )
        )
    if off := [f"`{field[:_CHARS_MAX]}`" for field in fields if field not in on]:
        found.append(
            Problem(
                reason="UNKNOWN_FIELD",
                message=f"{source} has {_listed(off)}, which this version does not know",
                remedy="It is off, so the adapter is taken. Compare an image before you promote.",
                is_warning=True,
            )
        )
    return found


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN_MAX} more" if len(names) > _SHOWN_MAX else ""
    return ", ".join(names[:_SHOWN_MAX]) + more


def _shown(value: Any) -> str:
    """Write a value as the file has it, within bounds."""
    if isinstance(value, dict | list):
        return f"a {'table' if isinstance(value, dict) else 'list'} of {len(value)}"
    text = json.dumps(value)
    return text if len(text) <= _CHARS_MAX else f"{text[:_CHARS_MAX]}…"
