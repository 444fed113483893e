# SPDX-License-Identifier: Apache-2.0
"""Records of detached jobs: what is written is read, and another run is told from the first."""

import pytest

from tabard_server.detached.record import Failure, HookState, JobRecord, JobState, ended
from tabard_server.error_kinds import refusal_of
from tabard_server.errors import JobCancelled, NotServing
from tests.server.detached.records import done, record


def test_record_is_read_as_written() -> None:
    """Bytes that are no text, a failure and a webhook included."""
    failure = Failure.of(refusal_of(NotServing("gone", hint="again", retry_seconds=1.0)))
    for one in (
        record(hook_url="https://example.com/hook"),
        done(),
        ended(record(), event_id=9, now=5.0, failure=failure),
    ):
        assert JobRecord.read(one.write()) == one


def test_damaged_record_is_none() -> None:
    """Nothing of it is guessed."""
    whole = record().write()
    for damaged in (whole[:-1], b"", b"{}", whole.replace(b'"run":1', b'"run":"x"')):
        with pytest.raises(ValueError):
            JobRecord.read(damaged)


@pytest.mark.parametrize(
    ("error", "state", "is_retried"),
    [
        (JobCancelled("enough"), JobState.CANCELLED, False),
        (NotServing("gone", retry_seconds=1.0), JobState.FAILED, True),
        (NotServing("gone"), JobState.FAILED, False),
    ],
)
def test_end_says_whether_to_come_back(error: Exception, state: JobState, is_retried: bool) -> None:
    """A cancelled job has a state of its own; a failure with a delay asks for another run."""
    over = ended(record(), event_id=9, now=5.0, failure=Failure.of(refusal_of(error)))

    assert (over.state, over.can_be_retried, over.ended_at) == (state, is_retried, 5.0)
    assert over.failure is not None
    assert over.failure.refusal == refusal_of(error)


def test_events_of_a_later_run_come_later() -> None:
    """However many steps were told of in the run before."""
    first, second = record(), record(run=2)

    assert second.accepted_event > first.accepted_event + 150 * 16 * 2
    assert record(hook_url="https://example.com").hook.state == HookState.WAITING  # type: ignore[union-attr]
