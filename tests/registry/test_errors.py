# SPDX-License-Identifier: Apache-2.0
import pytest

from tabard_registry import Problem, Report, errors
from tabard_registry.errors import IntakeRefused, InvalidField, RegistryError, check_length

CLASSES = [
    one
    for one in vars(errors).values()
    if isinstance(one, type) and issubclass(one, RegistryError) and one is not RegistryError
]


def test_every_error_is_drawn() -> None:
    """The tree at the top of the module shows all of them, and nothing else."""
    lines = str(errors.__doc__).splitlines()

    drawn = [line.split()[1] for line in lines if line.startswith(("├", "└"))]

    assert drawn == [one.__name__ for one in CLASSES]


def test_reasons_belong_to_one_class() -> None:
    """A reason says which error it was."""
    reasons = [reason for one in CLASSES for reason in one.reasons]

    assert len(set(reasons)) == len(reasons) > len(CLASSES)


def test_unlisted_reason_is_a_mistake() -> None:
    """A class takes its own reasons only."""
    with pytest.raises(AssertionError):
        InvalidField("x", reason="VERSION_EXISTS")


def test_refusal_tells_its_first_problem() -> None:
    """Warnings before it are not why the files were refused."""
    warning = Problem(reason="NO_EFFECT", message="w", remedy="-", is_warning=True)
    problem = Problem(reason="BAD_ALPHA", message="alpha is 0", remedy="Export it again.")

    error = IntakeRefused(Report(accepted=False, problems=(warning, problem)))

    assert (str(error), error.reason, error.hint) == ("alpha is 0", "BAD_ALPHA", "Export it again.")


def test_length_is_bounded_inclusively() -> None:
    """The bound itself is taken, one more is told with both numbers."""
    check_length("notes", "abc", chars_max=3)

    with pytest.raises(InvalidField, match="notes has 4 characters") as caught:
        check_length("notes", "abcd", chars_max=3)

    assert (caught.value.reason, "3" in caught.value.hint) == ("FIELD_TOO_LONG", True)
