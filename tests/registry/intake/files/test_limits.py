# SPDX-License-Identifier: Apache-2.0
from dataclasses import fields

import pytest

from tabard_registry import IntakeLimits
from tabard_registry.errors import InvalidField


@pytest.mark.parametrize("name", [field.name for field in fields(IntakeLimits)])
@pytest.mark.parametrize("value", [0, -1, float("nan")])
def test_limit_of_nothing_is_refused(name: str, value: float) -> None:
    """Every bound is above zero, and the error names the one that is not."""
    with pytest.raises(InvalidField, match=name):
        IntakeLimits(**{name: value})  # type: ignore[arg-type]


def test_slots_take_less_than_merging() -> None:
    """What is beyond the slots can still be worn in a merged copy."""
    assert IntakeLimits().rank_max < IntakeLimits().merged_rank_max
