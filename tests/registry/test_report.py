# SPDX-License-Identifier: Apache-2.0
import pytest

from tabard_registry import Problem, Report
from tabard_registry.report import PROBLEM_KEYS_MAX

PROBLEM = Problem(reason="BAD_ALPHA", message="alpha is 0", remedy="Export it again.")
WARNING = Problem(reason="NO_EFFECT", message="zeros", remedy="Look again.", is_warning=True)


def test_problem_quotes_a_few_keys() -> None:
    """A file of ten thousand bad keys makes no report of ten thousand lines."""
    keys = tuple(f"key {number}" for number in range(10_000))

    problem = Problem(reason="UNKNOWN_KEYS", message="many", remedy="-", keys=keys)

    assert problem.keys == keys[:PROBLEM_KEYS_MAX]


@pytest.mark.parametrize(
    ("accepted", "problems"), [(True, (PROBLEM,)), (False, (WARNING,)), (False, ())]
)
def test_verdict_follows_from_problems(accepted: bool, problems: tuple[Problem, ...]) -> None:
    """Nothing is accepted with a problem, or refused without one."""
    with pytest.raises(AssertionError):
        Report(accepted=accepted, problems=problems)


@pytest.mark.parametrize("name", ["training", "methods", "declared"])
def test_report_does_not_change(name: str) -> None:
    """Neither through its own tables nor through those it was made of."""
    mine: dict[str, object] = {"a": "b"}
    report = Report(accepted=True, **{name: mine})  # type: ignore[arg-type]

    mine["a"] = "c"

    assert getattr(report, name) == {"a": "b"}
    with pytest.raises(TypeError):
        getattr(report, name)["a"] = "c"
