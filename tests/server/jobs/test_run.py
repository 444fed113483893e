# SPDX-License-Identifier: Apache-2.0
"""One job in flight: one end, whoever brings it, and everything given back at that moment."""

import threading

from tabard_server.errors import JobCancelled, OutOfTime
from tabard_server.jobs.job import Done, Failed, ImageReady, Worn
from tests.server.jobs.small_jobs import Counter, job, running
from tests.server.releases import release


def image(index: int) -> ImageReady:
    """Return an image event."""
    return ImageReady(index=index, content=b"", seed=0, provenance_json="")


def test_last_image_ends_job_well() -> None:
    """Seats go back, the end is told once, and Done says how long it took."""
    one = running(images=2)
    one.now = 103.0
    one.run.begin()
    one.now = 105.0

    one.run.deliver(image(0))
    assert not one.run.is_ended
    one.run.deliver(image(1))

    assert one.ends == [None]
    assert one.room.depth == 0
    assert one.sent[-1] == Done(queue_seconds=3.0, total_seconds=5.0)


def test_first_end_counts() -> None:
    """A job that failed cannot be done, and fails no second time."""
    one, first = running(), JobCancelled("gone")

    one.run.fail(first)
    one.run.fail(OutOfTime("late"))
    one.run.deliver(image(0))

    assert one.ends == [first]
    (sent,) = one.sent
    assert isinstance(sent, Failed)
    assert (type(sent.error), str(sent.error)) == (type(first), str(first))


def test_threads_agree_on_one_end() -> None:
    """Of many threads that end a job at once, one does."""
    one, errors = running(images=1), [JobCancelled(str(n)) for n in range(8)]
    barrier = threading.Barrier(len(errors))

    def end(error: Exception) -> None:
        barrier.wait()
        one.run.fail(error)

    threads = [threading.Thread(target=end, args=(error,)) for error in errors]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(one.ends) == len(one.sent) == 1


def test_stack_is_held_until_let_go() -> None:
    """The end of a job, told at once, leaves its lease to those who still have a row of it."""
    worn = tuple(
        Worn(ref="r", release=release(f"acme/{name}"), weight=weight)
        for name, weight in (("a", 0.5), ("b", -1.0))
    )
    one, memory = running(), Counter()
    one.run.job = job(worn=worn)

    one.run.hold(memory.lease(*one.run.job.digests))
    held = [(adapter.digest, weight) for adapter, weight in one.run.stack]
    one.run.fail(JobCancelled("gone"))
    assert memory.returned == []
    one.run.let_go()
    one.run.let_go()

    assert held == [(worn[0].digest, 0.5), (worn[1].digest, -1.0)]
    assert memory.returned == [digest for digest, _ in held]


def test_rows_leave_seats_one_by_one() -> None:
    """An image that begins makes room for another in the waiting room and in the line."""
    one, memory = running(images=3), Counter()
    one.run.hold(memory.lease(rows=3))

    one.run.leave_seat()

    assert one.room.depth == 2
    assert memory.begun == 1


def test_end_gives_seats_back_at_once() -> None:
    """Whoever ends a job, it takes nobody's place in the waiting room any more."""
    one = running(images=3)
    one.run.leave_seat()

    one.run.fail(OutOfTime("late"))

    assert one.room.depth == 0
    assert not one.run.has_begun


def test_watcher_hears_of_the_end_once() -> None:
    """Whoever has its rows need not look at it again and again."""
    one, seen = running(images=1), list[object]()
    one.run.watch(seen.append)
    assert seen == []

    one.run.deliver(image(0))
    one.run.fail(JobCancelled("gone"))

    assert seen == [one.run]


def test_late_watcher_hears_at_once() -> None:
    """A job may end on its way to whoever would have its rows."""
    one, seen = running(), list[object]()
    one.run.fail(JobCancelled("gone"))

    one.run.watch(seen.append)

    assert seen == [one.run]
