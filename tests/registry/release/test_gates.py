# SPDX-License-Identifier: Apache-2.0
from typing import Any

import pytest

from tabard_registry.errors import RegistryError
from tabard_registry.release.gates import GATES_MAX, NO_GATES, Gate, gates_matching, with_gates


@pytest.mark.parametrize(
    ("gate", "reason"),
    [
        ({}, "FIELD_INVALID"),
        ({"reviews": -1}, "FIELD_INVALID"),
        ({"reviews": True}, "FIELD_INVALID"),
        ({"require_success": "yes"}, "FIELD_INVALID"),
        ({"reviews": 17}, "POLICY_UNSATISFIABLE"),
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
