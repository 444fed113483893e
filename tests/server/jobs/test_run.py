# SPDX-License-Identifier: Apache-2.0
"""One job in flight: one end, whoever brings it, and everything given back at that moment."""

import threading
from dataclasses import replace

from tabard_server.errors import JobCancelled, OutOfTime
from tabard_server.jobs.job import Done, Failed, ImageReady, Worn
from tests.server.jobs.small_jobs import Counter, job, running
from tests.server.releases import release


def image(index: int) -> ImageReady:
    """Return an image event."""
    return ImageReady(index=index, png=b"", seed=0, provenance_json="")


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
    assert one.sent == [Failed(error=first)]


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


def test_stack_is_held_until_end() -> None:
    """Leases become the stack with the weights of the job, and go back with its end."""
    worn = tuple(
        Worn(ref="r", release=release(f"acme/{name}"), weight=weight)
        for name, weight in (("a", 0.5), ("b", -1.0))
    )
    one, cache = running(), Counter()
    one.run.job = job(worn=worn)

    one.run.hold([cache.lease(digest) for digest in one.run.job.digests])
    held = [(adapter.digest, weight) for adapter, weight in one.run.stack]
    assert cache.returned == []
    one.run.fail(JobCancelled("gone"))

    assert held == [(worn[0].digest, 0.5), (worn[1].digest, -1.0)]
    assert cache.returned == [digest for digest, _ in held]


def test_late_leases_go_back() -> None:
    """What is loaded after the end is held by nobody."""
    worn = (Worn(ref="r", release=release("acme/a"), weight=1.0),)
    one, cache = running(), Counter()
    one.run.job = replace(one.run.job, worn=worn)
    one.run.fail(JobCancelled("gone"))

    one.run.hold([cache.lease("a")])

    assert cache.returned == ["a"]


def test_deadline_asks_to_stop() -> None:
    """Once it has passed a job must stop, though nobody asked."""
    one = running(deadline_at=104.0)

    one.now = 103.9
    assert one.run.stop_error is None
    one.now = 104.0

    assert isinstance(one.run.stop_error, OutOfTime)
    assert one.run.asked_to_stop is None


def test_first_wish_to_stop_counts() -> None:
    """Who asks second changes nothing, and neither does a deadline."""
    one, first = running(deadline_at=104.0), JobCancelled("gone")

    one.run.ask_to_stop(first)
    one.run.ask_to_stop(OutOfTime("late"))
    one.now = 200.0

    assert one.run.stop_error is first
    assert not one.run.is_ended
