# SPDX-License-Identifier: Apache-2.0
"""What the server says when it refuses: stable reasons, advice, and the fields concerned."""

import re

import pytest

from tabard_registry import Problem, Report
from tabard_server import errors
from tabard_server.errors import InvalidRequest, ServerError, UploadRefused, Violation, invalid

STEPS = Violation(field="steps", description="too many", reason="STEPS", hint="fewer")
SEED = Violation(field="seed", description="too large", reason="SEED")


def test_first_wrong_field_speaks() -> None:
    """All fields are listed and described; reason and hint are those of the first."""
    error = InvalidRequest((STEPS, SEED))

    assert str(error) == "too many; too large"
    assert (error.reason, error.hint, error.violations) == ("STEPS", "fewer", (STEPS, SEED))


def test_very_many_wrong_fields_are_not_all_told() -> None:
    """An answer has no room for them; how many there are it says."""
    error = InvalidRequest((STEPS,) + (SEED,) * 5_000)

    assert len(error.violations) == 16
    assert str(error).endswith("; and 4985 more")


def test_one_wrong_field_is_made_easily() -> None:
    """The same error as of a list of one."""
    error = invalid("seed", "too large", reason="SEED")

    assert error.violations == (SEED,)


def test_refused_upload_tells_every_problem() -> None:
    """The first is the message, the number of the others beside it; warnings are none."""
    problems = tuple(
        Problem(reason=reason, message=f"{reason}.", remedy="Mend it.", is_warning=is_warning)
        for reason, is_warning in (("ODD", True), ("WIDE", False), ("DEEP", False))
    )

    error = UploadRefused(Report(accepted=False, problems=problems))

    assert str(error) == "WIDE. (and 1 more)"
    assert (error.reason, error.hint) == ("WIDE", "Mend it.")
    assert [one.description for one in error.violations] == ["WIDE. Mend it.", "DEEP. Mend it."]
    assert error.report.problems == problems


def test_reason_may_be_narrower() -> None:
    """A class has a reason of its own, and one error may say it more exactly."""
    plain, exact = ServerError("x"), ServerError("x", reason="EXACT", retry_seconds=2.0)

    assert (plain.reason, plain.hint, plain.retry_seconds) == ("SERVER_ERROR", "", None)
    assert (exact.reason, exact.retry_seconds) == ("EXACT", 2.0)


@pytest.mark.parametrize("error", ServerError.__subclasses__(), ids=lambda error: error.__name__)
def test_every_class_is_drawn(error: type[ServerError]) -> None:
    """The tree above the classes names each; reasons are words in upper snake case."""
    assert f"── {error.__name__} " in str(errors.__doc__)
    assert re.fullmatch(r"[A-Z]+(_[A-Z]+)*", error.reason)


def test_reasons_tell_classes_apart() -> None:
    """No two classes share a reason."""
    reasons = [error.reason for error in ServerError.__subclasses__()]

    assert len(set(reasons)) == len(reasons)
