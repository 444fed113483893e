# SPDX-License-Identifier: Apache-2.0
"""Pictures are looked at one by one, each within its time; whatever goes wrong lets none pass."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tabard_server.errors import JobFailed
from tabard_server.safety.check import SafetyCheck
from tests.server.safety.classifiers import PATIENCE_SECONDS, Eye, noise, safety, scores
from tests.server.telemetry.logged import logged


@contextmanager
def looking(eye: Eye, **changes: Any) -> Iterator[SafetyCheck]:
    """Give a check at work."""
    check = SafetyCheck(eye, settings=safety(**changes))
    check.start()
    try:
        yield check
    finally:
        check.close()


def test_verdict_is_of_the_scores() -> None:
    """In a thread of its own."""
    eye = Eye(sees=scores(nsfw=0.8))

    with looking(eye, policy="flag") as check:
        verdict = check.judge(noise())

    assert (verdict.action, verdict.label, check.failure) == ("flagged", "nsfw", "")
    assert len(eye.seen) == 1


@pytest.mark.parametrize(
    "eye",
    [Eye(error=RuntimeError("what it saw")), Eye(sees=scores(nsfw=float("nan"))), Eye(sees={})],
    ids=["raises", "NaN", "no scores"],
)
def test_failing_classifier_lets_nothing_pass(eye: Eye) -> None:
    """The failure is told without its words, and is over with the next picture that works."""
    with looking(eye) as check:
        with pytest.raises(JobFailed) as failure:
            check.judge(noise())
        assert failure.value.reason == "SAFETY_CHECK_FAILED"
        assert "what it saw" not in str(failure.value)
        assert check.failure

        eye.error, eye.sees = None, scores()
        assert check.judge(noise()).action == "passed"
        assert check.failure == ""


def test_standing_classifier_costs_the_next_nothing() -> None:
    """Who waits, waits its time; who comes later is told at once; and it may come back."""
    eye, now = Eye(may_look=threading.Event()), [0.0]
    check = SafetyCheck(eye, settings=safety(seconds_max=0.05), clock=lambda: now[0])
    check.start()

    with pytest.raises(JobFailed, match=r"looked for 0\.05 s"):
        check.judge(noise(1))
    assert eye.is_looking.wait(PATIENCE_SECONDS)
    now[0] = 0.05
    with pytest.raises(JobFailed, match="stands still"):
        check.judge(noise(2))
    assert check.failure and len(eye.seen) == 1

    eye.may_look.set()
    _until(lambda: check._begun_at is None)
    check.settings = safety()
    assert check.judge(noise(3)).action == "passed"
    assert check.failure == ""
    check.close()


def test_one_failure_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """However many pictures are held up by it."""
    with looking(Eye(sees={})) as check:
        for _ in range(3):
            with pytest.raises(JobFailed):
                check.judge(noise())

    assert [one["reason"] for one in logged(caplog, "safety.failed")] == ["SAFETY_CHECK_FAILED"]


def test_closed_check_ends_its_thread() -> None:
    """Once it is free."""
    with looking(Eye()) as check:
        check.judge(noise())

    _until(lambda: check._thread.is_dead)


def _until(is_so: Any) -> None:
    waited = threading.Event()
    for _ in range(6_000):
        if is_so():
            return
        waited.wait(0.01)
    raise AssertionError("it did not come about")
