# SPDX-License-Identifier: Apache-2.0
from typing import Any

import pytest

from tabard_registry.errors import RegistryError
from tabard_registry.release.gates import (
    GATES_MAX,
    NO_GATES,
    Gate,
    bounds_asked,
    gates_matching,
    promotes_on_success,
    with_gates,
)


@pytest.mark.parametrize(
    ("gate", "reason"),
    [
        ({}, "FIELD_INVALID"),
        ({"reviews": -1}, "FIELD_INVALID"),
        ({"reviews": True}, "FIELD_INVALID"),
        ({"require_success": "yes"}, "FIELD_INVALID"),
        ({"reviews": 17}, "POLICY_UNSATISFIABLE"),
        ({"promote_on_success": 1}, "FIELD_INVALID"),
        ({"bounds": {"style_min": 0.7}}, "FIELD_INVALID"),
        ({"require_success": True, "bounds": {"beauty_min": 0.7}}, "FIELD_INVALID"),
        ({"require_success": True, "bounds": {"broken_to_fail": 0}}, "POLICY_UNSATISFIABLE"),
    ],
)
def test_impossible_gates(gate: dict[str, Any], reason: str) -> None:
    """One that asks for nothing, for something odd, or for more than there can be."""
    with pytest.raises(RegistryError) as refused:
        with_gates(NO_GATES, {"stable": gate})

    assert refused.value.reason == reason


def test_patterns_are_set_and_taken_away() -> None:
    """Those that are not named stay; there is a bound; no pattern leaves its channel."""
    before = with_gates(NO_GATES, {"stable": {"reviews": 1}, "prod-*": {"reviews": 2}})

    after = with_gates(before, {"stable": None, "beta": {"require_success": True}})

    assert dict(after) == {"prod-*": Gate(reviews=2), "beta": Gate(require_success=True)}
    assert dict(gates_matching(after, "prod-eu")) == {"prod-*": Gate(reviews=2)}
    assert dict(gates_matching(after, "stable")) == {}
    for said in ({"[a]": {"reviews": 1}}, {f"c{n}": {"reviews": 1} for n in range(GATES_MAX + 1)}):
        with pytest.raises(RegistryError):
            with_gates(NO_GATES, said)


def test_gate_is_written_as_it_was() -> None:
    """What came later stands in a record only where it is said, and reads back."""
    plain = Gate(require_success=True)
    later = Gate(require_success=True, bounds={"style_min": 0.7}, promote_on_success=True)

    assert sorted(plain.to_json()) == ["require_checks", "require_success", "reviews"]
    assert sorted(later.to_json().keys() - plain.to_json()) == ["bounds", "promote_on_success"]
    assert [Gate(**one.to_json()) for one in (plain, later)] == [plain, later]


def test_bounds_are_of_gates_that_ask_for_a_success() -> None:
    """One that asks for reviews alone says nothing of how a release is judged."""
    defaults = {"style_min": 0.5}
    lax = Gate(require_success=True, bounds={"style_min": 0.3})

    assert bounds_asked([lax, Gate(reviews=1)], defaults=defaults) == {"style_min": 0.3}
    assert bounds_asked([lax, Gate(require_success=True)], defaults=defaults) == defaults


def test_all_gates_let_a_success_promote() -> None:
    """Nobody is not all."""
    by_itself = Gate(promote_on_success=True)

    said = [[], [by_itself], [by_itself, Gate(reviews=1)]]

    assert [promotes_on_success(one) for one in said] == [False, True, False]
