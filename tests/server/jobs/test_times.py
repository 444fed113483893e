# SPDX-License-Identifier: Apache-2.0
"""The parts of a job's time: in order, of every image, and ended by the job's end."""

import pytest

from tabard_server.jobs.times import Moment, Part, Times

MOMENTS: tuple[Moment, ...] = ("opened", "stepped", "decoding", "decoded", "encoded")


class Watch:
    """A clock that a test sets."""

    now = 10.0

    def __call__(self) -> float:
        return self.now


def lived(*, moments: int = 5) -> Times:
    """Return the times of a job of one image that came so far, a second between all of them."""
    watch = Watch()
    times = Times(watch)
    watch.now += 1.0
    times.lease()
    for moment in MOMENTS[:moments]:
        watch.now += 1.0
        times.note(moment, index=0)
    watch.now += 1.0
    times.end()
    return times


def test_time_is_all_its_parts() -> None:
    """Each begins where what it needs was there."""
    parts = list(lived().parts(asked_at=9.5, images=1))

    assert parts == [
        Part(name="admission", begun_at=9.5, ended_at=10.0),
        Part(name="load", begun_at=10.0, ended_at=11.0),
        Part(name="queue", begun_at=11.0, ended_at=12.0, image=0),
        Part(name="steps", begun_at=12.0, ended_at=13.0, image=0),
        Part(name="decode", begun_at=14.0, ended_at=15.0, image=0),
        Part(name="encode", begun_at=15.0, ended_at=16.0, image=0),
    ]


@pytest.mark.parametrize(
    ("moments", "last"), [(0, "queue"), (1, "steps"), (2, "steps"), (3, "decode"), (4, "encode")]
)
def test_what_was_not_over_ends_with_the_job(moments: int, last: str) -> None:
    """A job that ends early has no parts that it never came to."""
    times = lived(moments=moments)

    *_before, part = times.parts(asked_at=9.5, images=1)

    assert part.name == last
    assert part.ended_at == (13.0 if moments == 2 else times.ended_at)


def test_job_without_adapters_in_memory_has_loaded_alone() -> None:
    """Nothing is said of a queue that it never stood in."""
    watch = Watch()
    times = Times(watch)
    watch.now = 12.0
    times.end()

    assert [one.name for one in times.parts(asked_at=9.0, images=3)] == ["admission", "load"]


def test_every_image_has_its_own() -> None:
    """Images of a job run beside each other."""
    watch = Watch()
    times = Times(watch)
    times.lease()
    for index in (1, 0):
        for moment in MOMENTS:
            watch.now += 1.0
            times.note(moment, index=index)
    times.end()

    steps = [one for one in times.parts(asked_at=9.0, images=2) if one.name == "steps"]

    assert [(one.image, one.begun_at, one.ended_at) for one in steps] == [
        (0, 16.0, 17.0),
        (1, 11.0, 12.0),
    ]
