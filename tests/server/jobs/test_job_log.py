# SPDX-License-Identifier: Apache-2.0
"""Every end of a job is a line; a flood of them is a sample, failures first, and a sum."""

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tabard_server.errors import JobFailed, Overloaded
from tabard_server.jobs.job import Worn
from tabard_server.jobs.job_log import JobLog
from tests.server.drawings import drawing
from tests.server.jobs.small_jobs import Running, job
from tests.server.releases import release
from tests.server.telemetry.logged import logged


class Watch:
    """A job log with a clock that stands still, and what it wants called later."""

    def __init__(self, *, lines_per_second_max: int = 4, has_prompts: bool = False) -> None:
        self.now = 100.0
        self.later: list[Callable[[], None]] = []
        self.log = JobLog(
            lines_per_second_max=lines_per_second_max,
            has_prompts=has_prompts,
            clock=lambda: self.now,
            call_later=lambda _seconds, call: self.later.append(call),
        )

    def end(self, outcome: str, *, times: int = 1) -> None:
        """Let jobs end."""
        error = None if outcome == "done" else JobFailed("broken")
        for _ in range(times):
            self.log.note_end(Running(of=job()).run, outcome=outcome, error=error)


@pytest.fixture(autouse=True)
def caught(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Hear everything."""
    with caplog.at_level(logging.DEBUG, logger="tabard"):
        yield


def outcomes(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [one["outcome"] for one in logged(caplog, "job.ended")]


def test_line_says_what_a_job_was(caplog: pytest.LogCaptureFixture) -> None:
    """Id, outcome, reason, what it wore to the byte, how large, how long: and no prompt."""
    ink = release("acme/ink", "1.2.0")
    worn = Worn(ref="acme/ink", release=ink, weight=1.0)
    wish = drawing(prompt="a secret", negative_prompt="a worry")
    running = Running(of=job(images=2, worn=(worn,), drawing=wish))
    running.now = 101.0
    running.run.begin()
    running.now = 103.0

    Watch().log.note_end(running.run, outcome="failed", error=JobFailed("x", reason="BROKEN"))

    assert logged(caplog, "job.ended") == [
        {
            "event": "job.ended",
            "level": "warning",
            "job": "j",
            "outcome": "failed",
            "reason": "BROKEN",
            "adapters": ["acme/ink@1.2.0"],
            "digests": (str(ink.digest),),
            "images": 2,
            "steps": wish.steps,
            "size": f"{wish.width}x{wish.height}",
            "registry_seq": 1,
            "queue_seconds": 1.0,
            "seconds": 3.0,
        }
    ]


def test_prompts_only_where_wanted(caplog: pytest.LogCaptureFixture) -> None:
    """A setting writes them."""
    running = Running(of=job(drawing=drawing(prompt="a secret", negative_prompt="a worry")))

    Watch(has_prompts=True).log.note_end(running.run, outcome="done", error=None)

    (told,) = logged(caplog, "job.ended")
    assert (told["prompt"], told["negative_prompt"]) == ("a secret", "a worry")
    assert (told["level"], "reason" in told, told["queue_seconds"]) == ("info", False, None)


def test_refusal_is_a_line_too(caplog: pytest.LogCaptureFixture) -> None:
    """With its reason; it has no id, for it was no job."""
    Watch().log.note_refusal(Overloaded("full", reason="QUEUE_FULL"))

    assert logged(caplog, "job.refused") == [
        {"event": "job.refused", "level": "warning", "reason": "QUEUE_FULL"}
    ]


def test_failures_have_lines_when_successes_have_none(caplog: pytest.LogCaptureFixture) -> None:
    """Of four lines a second two are for successes; the next second begins anew."""
    watch = Watch(lines_per_second_max=4)

    watch.end("done", times=9)
    watch.end("failed", times=9)
    watch.now += 1.0
    watch.end("done")

    assert outcomes(caplog) == ["done", "done", "failed", "failed", "done"]


def test_rest_is_told_as_a_sum(caplog: pytest.LogCaptureFixture) -> None:
    """Once a second after the first that was left out; nobody is lost, and silence says nothing."""
    watch = Watch(lines_per_second_max=2)

    watch.end("done", times=5)
    watch.end("failed", times=4)
    assert len(watch.later) == 1
    watch.later.pop()()
    watch.log.flush()
    watch.end("expired", times=2)

    left_out: dict[str, Any] = {"event": "jobs.left_out", "level": "warning"}
    assert logged(caplog, "jobs.left_out") == [left_out | {"done": 4, "failed": 3}]
    assert outcomes(caplog) == ["done", "failed"]
    assert len(watch.later) == 1


def test_closed_loop_loses_no_sum(caplog: pytest.LogCaptureFixture) -> None:
    """At the very end nothing can be called later; the last flush says it."""

    def refuse(_seconds: float, _call: Callable[[], None]) -> None:
        raise RuntimeError("Event loop is closed")

    log = JobLog(lines_per_second_max=1, has_prompts=False, clock=lambda: 0.0, call_later=refuse)
    for _ in range(3):
        log.note_refusal(Overloaded("full"))
    log.flush()

    assert logged(caplog, "jobs.left_out")[0]["refused"] == 2
