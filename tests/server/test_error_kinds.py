# SPDX-License-Identifier: Apache-2.0
"""The table of errors: total over every exception tree; and what a refusal tells its caller."""

from collections.abc import Iterator

import pytest

from tabard_registry import Problem, RegistryError, Report
from tabard_registry.errors import StoreUnavailable
from tabard_server.engine_port.errors import EngineError, SlotsExhausted
from tabard_server.error_kinds import KINDS, Kind, is_foreseen, refusal_of
from tabard_server.errors import InvalidRequest, Overloaded, ServerError, UploadRefused, Violation


def family(root: type[Exception]) -> Iterator[type[Exception]]:
    """Yield a class and everything below it."""
    yield root
    for child in root.__subclasses__():
        yield from family(child)


@pytest.mark.parametrize(
    "error",
    [error for root in (RegistryError, ServerError, EngineError) for error in family(root)],
    ids=lambda error: error.__name__,
)
def test_every_exception_has_a_kind(error: type[Exception]) -> None:
    """No exception of any tree is missing from the table."""
    assert error in KINDS


def test_every_kind_is_used() -> None:
    """A kind that no error has would be a word without meaning."""
    assert set(KINDS.values()) == set(Kind)


def test_stranger_is_internal_and_mute() -> None:
    """An exception nobody knows is INTERNAL and says nothing of itself."""
    error = KeyError("password=hunter2")

    refusal = refusal_of(error)

    assert not is_foreseen(error)
    assert (refusal.kind, refusal.reason) == (Kind.INTERNAL, "INTERNAL")
    assert "hunter2" not in repr(refusal)


def test_refusal_says_what_to_do() -> None:
    """Message, reason and hint are the error's own."""
    refusal = refusal_of(SlotsExhausted("no room", hint="wear less"))

    assert (refusal.message, refusal.reason) == ("no room", "SLOTS_EXHAUSTED")
    assert (refusal.hint, refusal.retry_seconds) == ("wear less", None)


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (Overloaded("full", retry_seconds=1.5), 1.5),
        (Overloaded("full"), None),
        (StoreUnavailable("no answer", reason="STORE_UNAVAILABLE"), 1.0),
    ],
)
def test_refusal_says_when_to_retry(error: Exception, seconds: float | None) -> None:
    """What knows its time says it; a store that did not answer is asked again in a second."""
    assert refusal_of(error).retry_seconds == seconds


def test_report_becomes_violations() -> None:
    """Every problem of an upload is a violation; warnings are not."""
    problems = (
        Problem(reason="UNKNOWN_KEYS", message="3 keys fit nothing.", remedy="Retrain."),
        Problem(reason="NO_TRIGGER", message="No trigger.", remedy="Name one.", is_warning=True),
    )

    refusal = refusal_of(UploadRefused(Report(accepted=False, problems=problems)))

    assert refusal.reason == "UNKNOWN_KEYS"
    assert [violation.reason for violation in refusal.violations] == ["UNKNOWN_KEYS"]


def test_refusal_is_bounded() -> None:
    """However long the words are and however many the fields, they fit into a header."""
    violation = Violation(field="prompt", description="ж" * 9_000, reason="X", hint="ж" * 9_000)

    refusal = refusal_of(InvalidRequest((violation,) * 40))

    texts = [refusal.message, refusal.hint]
    texts += [text for one in refusal.violations for text in (one.description, one.hint)]
    assert len(refusal.violations) == 6
    assert max(len(text.encode()) for text in texts) <= 600
