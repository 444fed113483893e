# SPDX-License-Identifier: Apache-2.0
"""Every field of every configuration of the installed PEFT is judged; what it may say, and not."""

import dataclasses
import json
from typing import Any

import pytest
from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING

from tabard_registry.intake.methods.peft_fields import RULES, judge_config

CONFIGS = {str(kind.value): make for kind, make in PEFT_TYPE_TO_CONFIG_MAPPING.items()}
"""PEFT's own classes by kind."""
TAKEN = sorted(RULES)


def written(kind: str, **fields: Any) -> dict[str, Any]:
    """What PEFT writes into `adapter_config.json`, with some fields said otherwise."""
    text = json.dumps(CONFIGS[kind]().to_dict(), default=list)
    return {**json.loads(text), **fields}


@pytest.mark.parametrize("kind", TAKEN)
def test_every_field_of_peft_is_known(kind: str) -> None:
    """A new PEFT with a new field makes this fail before anybody publishes one."""
    fields = {field.name for field in dataclasses.fields(CONFIGS[kind])}

    assert fields - RULES[kind].keys() == set()


@pytest.mark.parametrize("kind", TAKEN)
def test_defaults_of_peft_pass(kind: str) -> None:
    """What PEFT writes unasked speaks against nothing."""
    assert judge_config(written(kind), source="x") == ()


@pytest.mark.parametrize("kind", sorted(CONFIGS.keys() - RULES.keys()))
def test_other_kinds_are_refused_by_name(kind: str) -> None:
    """Every other method of PEFT is named."""
    (problem,) = judge_config({"peft_type": kind}, source="x")

    assert (problem.reason, problem.is_warning) == ("UNSUPPORTED_CONFIG", False)
    assert kind in problem.message and "tabard extract" in problem.remedy


HARMLESS: list[dict[str, Any]] = [
    *({"init_lora_weights": init} for init in (True, False, "gaussian", "eva", "orthogonal")),
    {"init_lora_weights": "mica"},
    {"init_lora_weights": "eva", "eva_config": {"rho": 2.0}},
    {"loftq_config": {"loftq_bits": 4}},
    {"target_modules": ".*to_q", "exclude_modules": ["to_k"], "layers_to_transform": [1]},
    {"lora_dropout": 0.5, "inference_mode": True, "task_type": "CAUSAL_LM", "revision": "main"},
    {"megatron_core": "elsewhere", "qalora_group_size": 32, "lora_bias": True},
    {"peft_version": "99.0", "base_model_name_or_path": "a/b", "auto_mapping": {"a": "b"}},
]


@pytest.mark.parametrize("fields", HARMLESS, ids=json.dumps)
def test_harmless_field_passes(fields: dict[str, Any]) -> None:
    """What only says how it was made passes, whatever it says."""
    assert judge_config(written("LORA", **fields), source="x") == ()


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        *(("LORA", "init_lora_weights", init) for init in ("pissa", "olora", "OLoRA", "corda")),
        *(("LORA", "init_lora_weights", init) for init in ("pissa_niter_4", "loftq", "lora_ga")),
        ("LORA", "init_lora_weights", "of_the_next_release"),
        ("LORA", "init_lora_weights", {"kind": "pissa"}),
        ("LORA", "alora_invocation_tokens", [5, 6]),
        ("LORA", "layer_replication", [[0, 4], [2, 5]]),
        ("LORA", "arrow_config", {"top_k": 3}),
        ("LORA", "kasa_config", {"beta": 1e-4}),
        ("LORA", "monteclora_config", {"num_samples": 8}),
        ("LORA", "velora_config", {"num_groups": 64}),
        ("LORA", "use_qalora", True),
        ("LORA", "use_bdlora", {"nblocks": 2}),
        ("LORA", "megatron_config", {"a": 1}),
        ("LORA", "trainable_token_indices", [7]),
        ("LORA", "target_parameters", ["to_q.weight"]),
        *((kind, "modules_to_save", ["conv_in"]) for kind in TAKEN),
        *((kind, "fan_in_fan_out", True) for kind in ("LORA", "OFT", "BOFT", "IA3")),
        *((kind, "bias", "all") for kind in ("LORA", "OFT", "BOFT")),
        *((kind, "of_the_next_release", "on") for kind in TAKEN),
        ("LOHA", "use_rslora", True),
        ("OFT", "init_lora_weights", "pissa"),
    ],
)
def test_field_that_changes_the_meaning_is_refused(kind: str, field: str, value: Any) -> None:
    """Known to change the meaning, or not known and on: refused by the field's name."""
    (problem,) = judge_config(written(kind, **{field: value}), source="adapter_config.json")

    assert (problem.reason, problem.is_warning) == ("UNSUPPORTED_CONFIG", False)
    assert f"adapter_config.json has `{field}`" in problem.message
    assert problem.remedy


@pytest.mark.parametrize("init", ["pissa", "pissa_niter_4", "olora", "corda", "lora_ga"])
def test_remedy_is_the_conversion_of_peft(init: str) -> None:
    """What PEFT itself can turn into a plain LoRA is answered with how."""
    (problem,) = judge_config(written("LORA", init_lora_weights=init), source="x")

    assert "path_initial_model_for_weight_conversion" in problem.remedy


@pytest.mark.parametrize("value", [None, False, 0, 0.0, "", [], {}, "none"])
@pytest.mark.parametrize("kind", TAKEN)
def test_unknown_field_that_is_off_is_warned_of(kind: str, value: Any) -> None:
    """The next PEFT writes new fields: while they are off, an adapter is what it was."""
    (problem,) = judge_config(written(kind, of_the_next_release=value), source="x")

    assert (problem.reason, problem.is_warning) == ("UNKNOWN_FIELD", True)
    assert "`of_the_next_release`" in problem.message


def test_many_unknown_fields_make_one_problem() -> None:
    """A configuration of ten thousand fields makes no report of ten thousand lines."""
    fields = {f"field{number}" * 20: number for number in range(10_000)}

    problems = judge_config({"peft_type": "LORA", **fields}, source="x")

    assert [problem.is_warning for problem in problems] == [False, True]
    assert all(len(problem.message) < 1_000 for problem in problems)
    assert "and 9994 more" in problems[0].message


@pytest.mark.parametrize("init", ["pissa", "of_the_next_release", {"kind": "pissa"}])
def test_initialisation_is_called_what_is_known_of_it(init: object) -> None:
    """Of one that is not known nobody can say that it changes the base."""
    (problem,) = judge_config(written("LORA", init_lora_weights=init), source="x")

    assert "none of those that are known to leave the base as it is" in problem.message
