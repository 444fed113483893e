# SPDX-License-Identifier: Apache-2.0
"""The book of request ids: one job for an id, and bounds on everything that is kept."""

import asyncio
import random
from dataclasses import replace

import pytest

from tabard_registry.identity.identity import ANYBODY, Identity, Proof
from tabard_registry.identity.roles import EVERYTHING
from tabard_server.engine_port.drawing import WantedDrawing
from tabard_server.engine_port.regions import WantedRegion
from tabard_server.errors import JobFailed, NotServing, RequestIdTaken
from tabard_server.jobs.job import Done, ImageReady, JobSpec
from tabard_server.jobs.outbox import Outbox
from tabard_server.jobs.request_book import Entry, RequestBook, RequestKey, fingerprint_of
from tabard_server.limits import Limits
from tests.server.jobs.small_jobs import job

SPEC = JobSpec(wanted=WantedDrawing(prompt="a", image=b"x"), seed=1)


class Clock:
    """Time that is set."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def key(name: str = "a", *, identity: str = "ann", proof: Proof = Proof.TOKEN) -> RequestKey:
    return RequestKey(proof=proof, identity=identity, tenant="studio", id=name)


def book(clock: Clock, **limits: object) -> RequestBook:
    """Return a book that keeps 100 bytes for 10 s, and ids for 50 s."""
    said = {"replay_bytes_max": 100, "replay_seconds_max": 10.0, "request_window_seconds": 50.0}
    return RequestBook(Limits.model_validate(said | limits), clock=clock)


def begun(of: RequestBook, name: RequestKey, *, size: int = 10) -> Entry:
    """Begin a job with one image, that was drawn and not read."""
    entry = of.begin(name, fingerprint=b"f")
    loop = asyncio.new_event_loop()
    outbox = Outbox(droppable_max=2, reader_loop=loop, keeps=True)
    # Nobody waits: the book only counts.
    loop.close()
    outbox.put(ImageReady(index=0, content=b"x" * size, seed=0, provenance_json=""))
    of.admit(entry, job(), rows_ahead=0, outbox=outbox)
    of.note(entry)
    return entry


def ended(of: RequestBook, name: RequestKey, *, size: int = 10) -> Entry:
    """Begin a job, and end it well."""
    entry = begun(of, name, size=size)
    assert entry.outbox is not None
    entry.outbox.put(Done(queue_seconds=0.0, total_seconds=0.0))
    of.end(entry, outcome="done", error=None)
    return entry


def test_images_then_the_id_are_forgotten() -> None:
    """Images go first; how it ended is known until the window closes."""
    clock = Clock()
    kept = book(clock)
    entry = ended(kept, key())

    clock.now = 109.9
    assert kept.find(key(), fingerprint=b"f") is entry
    assert kept.kept_bytes == 10
    clock.now = 110.0
    assert kept.find(key(), fingerprint=b"f") is entry
    assert (entry.outbox, entry.job, kept.kept_bytes) == (None, None, 0)
    clock.now = 150.0
    assert kept.find(key(), fingerprint=b"f") is None
    assert len(kept) == 0


def test_other_request_is_refused() -> None:
    """Under the same id, of the same caller; another caller's id is another one."""
    kept = book(Clock())
    ended(kept, key())

    with pytest.raises(RequestIdTaken) as refusal:
        kept.find(key(), fingerprint=b"g")
    assert refusal.value.reason == "REQUEST_ID_REUSED"
    assert kept.find(key(identity="bob"), fingerprint=b"g") is None
    assert kept.find(key(proof=Proof.CERTIFICATE), fingerprint=b"g") is None


def test_id_is_of_whoever_proved_to_be_its_caller() -> None:
    """Another name, tenant or proof is another caller; another token of the same name is not."""
    kept = book(Clock())
    ann = Identity(name="ann", tenant="a", grants=EVERYTHING, proof=Proof.TOKEN, token_id="1")
    others = [
        replace(ann, name="bob"),
        replace(ann, tenant="b"),
        replace(ann, proof=Proof.CERTIFICATE),
    ]

    async def entry(of: Identity) -> Entry:
        found = await kept.entry_of(replace(SPEC, request_id="r", identity=of))
        if not found.settled.is_set():
            loop = asyncio.get_running_loop()
            outbox = Outbox(droppable_max=2, reader_loop=loop, keeps=True)
            kept.admit(found, job(), rows_ahead=0, outbox=outbox)
        return found

    async def walk() -> None:
        first = await entry(ann)
        assert await entry(replace(ann, token_id="2")) is first
        assert len({id(first), *[id(await entry(one)) for one in others]}) == 4

    asyncio.run(walk())


def test_refused_request_may_be_asked_again() -> None:
    """A refusal at the door leaves nothing."""
    kept = book(Clock())
    entry = kept.begin(key(), fingerprint=b"f")

    kept.refuse(entry)

    assert entry.settled.is_set()
    assert kept.find(key(), fingerprint=b"f") is None


def test_what_is_gone_says_what_became_of_it() -> None:
    """An outcome for what is done; for what failed, the failure, without where it was raised."""
    done, failed = Entry(job_id="j", ended_at=1.0), Entry(error=JobFailed("broke", reason="X"))

    assert getattr(done.not_kept(), "reason", "") == "RESULT_NOT_KEPT"
    again = failed.not_kept()
    assert (type(again), str(again), getattr(again, "reason", "")) == (JobFailed, "broke", "X")
    assert again is not failed.error


def test_whoever_keeps_most_makes_room() -> None:
    """Another caller's images stay, and a running job's before those of ended ones."""
    kept = book(Clock())
    light = ended(kept, key("l", identity="bob"), size=30)
    running = begun(kept, key("r"), size=30)
    old = ended(kept, key("o"), size=30)

    new = ended(kept, key("n"), size=30)

    assert old.outbox is None
    assert all(one.outbox is not None for one in (light, running, new))
    assert kept.kept_bytes == 90


def test_withdrawn_images_are_given_to_nobody() -> None:
    """Of ended jobs; how they ended is still known."""
    kept = book(Clock())
    entry = ended(kept, key())

    kept.forget_where(lambda _job: True)

    assert entry.outbox is None
    assert kept.find(key(), fingerprint=b"f") is entry


def test_withdrawn_images_of_a_job_that_ends_just_now_are_given_to_nobody() -> None:
    """An act comes while a job is over for the engine and not yet for the book."""
    kept = book(Clock())
    entry = begun(kept, key())

    kept.forget_where(lambda _job: True)
    kept.end(entry, outcome="done", error=None)

    assert (entry.outbox, entry.job, kept.kept_bytes) == (None, None, 0)
    assert getattr(entry.not_kept(), "reason", "") == "RESULT_NOT_KEPT"


def test_who_is_told_to_come_back_is_asked_anew() -> None:
    """A failure with a time to retry is no answer for the whole window; one without it is."""
    kept = book(Clock())
    kept.end(begun(kept, key()), outcome="failed", error=NotServing("x", retry_seconds=1.0))
    kept.end(begun(kept, key("b")), outcome="failed", error=JobFailed("x"))

    assert kept.find(key(), fingerprint=b"f") is None
    assert kept.find(key("b"), fingerprint=b"f") is not None
    assert (len(kept), kept.kept_bytes) == (1, 10)


def test_ended_job_holds_no_prompt_and_no_picture() -> None:
    """What a later reader is told needs neither."""
    entry = ended(book(Clock()), key())

    assert entry.job is not None
    assert (entry.job.drawing.prompt, entry.job.drawing.picture) == ("", None)


def test_fingerprint_is_of_the_request_alone() -> None:
    """Not of its id, its time and its caller; of everything else."""
    same = replace(SPEC, request_id="b", seconds_left=3.0, identity=replace(ANYBODY, name="ann"))
    others = [
        replace(SPEC, seed=None),
        replace(SPEC, preview_every=1),
        replace(SPEC, wanted=replace(SPEC.wanted, image=b"y")),
        replace(SPEC, wanted=replace(SPEC.wanted, image=None, mask_image=b"x")),
        replace(SPEC, wanted=replace(SPEC.wanted, prompt="b")),
    ]

    assert fingerprint_of(same) == fingerprint_of(SPEC)
    assert len({fingerprint_of(one) for one in (SPEC, *others)}) == 6


def test_regions_are_a_part_of_the_request() -> None:
    """Their words and the bytes of their masks, none of which are written out."""
    mask = WantedRegion(name="a", mask=b"x" * 9)
    regions = [(), (mask,), (replace(mask, mask=b"y" * 9),), (replace(mask, prompt="b"),)]
    regions += [(replace(mask, mask=None),), (replace(mask, mask=b""),), (mask, mask)]

    prints = {
        fingerprint_of(replace(SPEC, wanted=replace(SPEC.wanted, regions=one))) for one in regions
    }

    assert len(prints) == len(regions)
    assert fingerprint_of(replace(SPEC, wanted=replace(SPEC.wanted, regions=(mask,)))) in prints


@pytest.mark.parametrize("seed", range(30))
def test_book_holds_its_bounds(seed: int) -> None:
    """Whatever comes in whatever order: bytes, number and times hold, and the sums are right."""
    rng, clock = random.Random(seed), Clock()
    kept = book(clock, requests_remembered_max=12)
    running: list[Entry] = []
    known: dict[RequestKey, Entry] = {}
    for _turn in range(300):
        clock.now += rng.choice((0.0, 0.5, 3.0))
        name = key(str(rng.randrange(20)), identity=rng.choice(("ann", "bob")))
        found = kept.find(name, fingerprint=b"f")
        if found is not None:
            # An id never stands for another job than it did.
            assert found is known[name]
        elif len(running) < 8:
            known[name] = entry = begun(kept, name, size=rng.randrange(1, 60))
            running.append(entry)
        if running and rng.random() < 0.5:
            kept.end(running.pop(rng.randrange(len(running))), outcome="done", error=None)

        assert all(kept.find(one.key, fingerprint=b"f") is one for one in running if one.key)
        assert len(kept) <= 12
        entries = list(kept._entries.values())
        assert kept.kept_bytes == sum(one.noted_bytes for one in entries) <= 100
        assert kept.kept_bytes == sum(one.outbox.kept_bytes for one in entries if one.outbox)
        for one in entries:
            if one.ended_at is not None:
                assert clock.now < one.ended_at + 50.0
                assert one.outbox is None or clock.now < one.ended_at + 10.0
