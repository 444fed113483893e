# SPDX-License-Identifier: Apache-2.0
"""How long a client goes on with a server that is busy, or went away."""

import random
from dataclasses import replace

import pytest

from tabard import (
    Aborted,
    FailedPrecondition,
    InvalidArgument,
    ResourceExhausted,
    TabardError,
    Unavailable,
)
from tabard.calls.generation import Given
from tabard.patience import Patience, Retries, require_timeout
from tabard.result import Accepted, GeneratedImage, Progress, WornRecipe, WornRelease
from tabard.routing import BASE_METADATA, SERVER_METADATA, base_hint
from tabard.v1 import generation_service_pb2 as pb

BASE = "sha256:" + "01" * 32
INK = WornRelease(
    ref="acme/ink:0.5", adapter="acme/ink", version="1.0.0", digest="sha256:ink", weight=0.5
)
IN_SET = replace(
    INK,
    ref="acme/set",
    recipe=WornRecipe(adapter="acme/set", version="1.0.0", digest="sha256:set", weight=1.0),
)


class Clock:
    """Time that is set."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_stranger_is_not_waited_for() -> None:
    """A server that was never there fails at once."""
    patience = Patience(60, clock=Clock())

    with pytest.raises(Unavailable):
        patience.pause_after(Unavailable("nobody"))


def test_pauses_grow_to_a_bound() -> None:
    """The first try comes at once, later ones at most every two seconds."""
    patience = Patience(60, clock=Clock(), rng=random.Random(1))
    patience.renew()

    pauses = [patience.pause_after(Unavailable("gone")) for _ in range(12)]

    assert pauses[0] < 0.1
    assert 0.5 < max(pauses) <= 2.0


def test_patience_ends_and_begins_anew() -> None:
    """Time counts from the first failure after the last success."""
    clock = Clock()
    patience = Patience(10, clock=clock)
    patience.renew()
    patience.pause_after(Unavailable("gone"))
    clock.now = 9
    patience.renew()
    patience.pause_after(Unavailable("gone again"))

    clock.now = 18
    patience.pause_after(Unavailable("still gone"))
    clock.now = 19
    with pytest.raises(Unavailable, match="too long"):
        patience.pause_after(Unavailable("too long"))


def refusal(seconds: float | None = 1.0) -> ResourceExhausted:
    return ResourceExhausted("busy", retry_after_seconds=seconds)


def test_retry_waits_as_long_as_asked() -> None:
    """Never less, and full jitter beside it, which grows up to a bound."""
    retries = Retries(
        patience_seconds=1_000, timeout_seconds=None, clock=Clock(), rng=random.Random(1)
    )

    pauses = [retries.pause_after(refusal()) for _ in range(12)]

    assert 1.0 <= pauses[0] <= 1.1
    assert all(1.0 <= pause <= 3.0 for pause in pauses)
    assert max(pauses) > 2.0
    assert (retries.seconds_left, retries.attempts) == (None, 13)


def test_every_wait_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """With the reason, the number of the next attempt, and how long it waits."""
    retries = Retries(patience_seconds=60, timeout_seconds=None, clock=Clock())

    with caplog.at_level("INFO", logger="tabard"):
        retries.pause_after(ResourceExhausted("x", reason="QUEUE_FULL", retry_after_seconds=1.0))

    assert caplog.messages[0].startswith("not done (QUEUE_FULL): attempt 2 follows in 1.")


@pytest.mark.parametrize(
    "answer", [refusal(None), Unavailable("gone"), Aborted("race", retry_after_seconds=1.0)]
)
def test_retry_only_where_it_was_asked_for(answer: TabardError) -> None:
    """A refusal that says nothing of coming back is an answer, and so is any other failure."""
    retries = Retries(patience_seconds=60, timeout_seconds=None, clock=Clock())

    with pytest.raises(type(answer)):
        retries.pause_after(answer)


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), 1e10])
def test_time_that_no_call_can_have_is_refused(seconds: float) -> None:
    """Instead of the answer that it is over."""
    with pytest.raises(InvalidArgument) as caught:
        Retries(patience_seconds=60, timeout_seconds=seconds, clock=Clock())

    assert (caught.value.reason, "at most 1000000000" in caught.value.hint) == ("BAD_TIMEOUT", True)


@pytest.mark.parametrize(("patience", "timeout"), [(3.0, None), (60.0, 3.0), (0.0, 60.0)])
def test_retry_ends_with_patience_or_deadline(patience: float, timeout: float | None) -> None:
    """Whichever comes first; a wait that would pass it is not begun."""
    clock, waits = Clock(), list[float]()
    retries = Retries(
        patience_seconds=patience,
        timeout_seconds=timeout,
        on_wait=lambda seconds, _refusal: waits.append(seconds),
        clock=clock,
        rng=random.Random(1),
    )

    with pytest.raises(ResourceExhausted):
        while True:
            clock.now += retries.pause_after(refusal())

    assert sum(waits) <= 3.0
    assert bool(waits) == (patience > 0)
    assert timeout is None or retries.seconds_left == timeout - clock.now


def test_timeout_that_cannot_be_names_its_parameter() -> None:
    """A form marks the field."""
    with pytest.raises(InvalidArgument) as caught:
        require_timeout(0)

    assert [one.field for one in caught.value.violations] == ["timeout_seconds"]


def test_lost_connection_is_tried_again() -> None:
    """By a call that is safe to repeat, and only to a server that was met."""
    lost, nobody = (
        Unavailable("x", reason="CONNECTION_LOST"),
        Unavailable("x", reason="UNAVAILABLE"),
    )
    repeatable = Retries(patience_seconds=60, timeout_seconds=None, given=Given(), clock=Clock())

    with pytest.raises(Unavailable):
        repeatable.pause_after(nobody)
    assert 0 <= repeatable.pause_after(lost) <= 0.1
    assert 0 <= repeatable.pause_after(nobody) <= 0.2
    with pytest.raises(Unavailable):
        Retries(patience_seconds=60, timeout_seconds=None, clock=Clock()).pause_after(lost)


def accepted(job_id: str) -> Accepted:
    return Accepted(job_id=job_id, worn=(), seeds=(), registry_seq=1, queue_depth=0)


def patient(clock: Clock) -> Retries:
    """Return the retries of a job, with a patience of 10 s."""
    return Retries(patience_seconds=10, timeout_seconds=None, given=Given(), clock=clock)


def test_patience_counts_from_the_failure() -> None:
    """A job that waited in silence for longer than that is asked for again, and again."""
    clock = Clock()
    retries, lost = patient(clock), Unavailable("x", reason="CONNECTION_LOST")

    for turn, is_new in enumerate((True, False, False)):
        assert retries.is_new(accepted("a")) == is_new
        clock.now += 100
        assert retries.pause_after(lost) <= 0.1 * 2**turn
    clock.now += 10
    with pytest.raises(Unavailable):
        retries.pause_after(lost)


def test_job_that_was_lost_is_not_begun_for_ever() -> None:
    """A server that it brings down is asked again within patience of the loss, no longer."""
    clock = Clock()
    retries, lost = patient(clock), Unavailable("x", reason="CONNECTION_LOST")
    tries = 0

    with pytest.raises(Unavailable):
        while tries < 100:
            tries += 1
            assert retries.is_new(accepted(f"job-{tries}"))
            # The same pictures again: what was told of them is not told twice.
            assert retries.is_new(Progress(index=0, step=1, steps=4)) is (tries == 1)
            clock.now += 3
            retries.pause_after(lost)

    assert 3 <= tries <= 5


def test_next_try_says_what_the_job_was_told() -> None:
    """Its seed, its releases, its base: whichever server has it then draws the same."""
    retries, first = patient(Clock()), pb.GenerateRequest(prompt="x", num_images=2)
    assert retries.request(first) is first
    told = replace(accepted("job-1"), seeds=(7, 8), worn=(INK, IN_SET), base_fingerprint=BASE)

    retries.is_new(told)
    again = retries.request(first)

    assert isinstance(again, pb.GenerateRequest)
    assert again.again == pb.Again(
        seed=7,
        pins=[
            pb.Pin(ref="acme/ink:0.5", digest=INK.digest),
            pb.Pin(ref="acme/set", digest="sha256:set"),
        ],
        registry_seq=1,
    )
    assert again.base == BASE
    assert not first.HasField("again")
    assert retries.metadata((("a", "b"),)) == (("a", "b"), (BASE_METADATA, base_hint(BASE)))


def test_images_of_the_same_job_are_given_once() -> None:
    """Another server draws all of it again; what was given is passed over."""
    retries = patient(Clock())
    first = replace(accepted("job-1"), seeds=(7, 8), base_fingerprint=BASE)
    image = GeneratedImage(index=0, content=b"x", seed=7, provenance_json="{}")
    assert retries.is_new(first) and retries.is_new(image)

    assert retries.is_new(replace(first, job_id="job-2"))
    assert not retries.is_new(image)
    assert not retries.is_new(Progress(index=0, step=4, steps=4))
    assert retries.is_new(replace(image, index=1))


def test_images_of_another_drawing_are_given_anew() -> None:
    """A server that does not heed what the job was told draws something else: all of it counts."""
    retries = patient(Clock())
    image = GeneratedImage(index=0, content=b"x", seed=7, provenance_json="{}")
    assert retries.is_new(replace(accepted("job-1"), seeds=(7,))) and retries.is_new(image)

    assert retries.is_new(replace(accepted("job-2"), seeds=(9,)))
    assert retries.is_new(image)


def test_server_of_another_base_is_left_once() -> None:
    """What it says is needed goes with the next try; a second such answer is the caller's."""
    noted: list[str] = []
    retries = Retries(
        patience_seconds=60, timeout_seconds=None, on_base=noted.append, clock=Clock()
    )
    refused = FailedPrecondition("x", reason="BASE_FAMILY_MISMATCH", base=BASE)

    assert retries.pause_after(refused) == 0.0
    assert retries.metadata(((BASE_METADATA, "old"),)) == ((BASE_METADATA, base_hint(BASE)),)
    assert (noted, retries.attempts) == ([BASE], 2)
    with pytest.raises(FailedPrecondition):
        retries.pause_after(refused)


def test_base_that_was_said_is_not_left() -> None:
    """Who names a base hears that the release is for another one."""
    retries = Retries(patience_seconds=60, timeout_seconds=None, is_base_said=True, clock=Clock())

    with pytest.raises(FailedPrecondition):
        retries.pause_after(FailedPrecondition("x", reason="BASE_FAMILY_MISMATCH", base=BASE))
    assert retries.metadata(()) == ()


def test_what_began_is_not_sent_again() -> None:
    """Whatever the server asks for, unless it is safe to repeat."""
    retries = Retries(patience_seconds=60, timeout_seconds=None, clock=Clock())
    retries.note_answer()

    with pytest.raises(ResourceExhausted):
        retries.pause_after(refusal())


def elsewhere(server: str, base: str = "") -> Unavailable:
    return Unavailable("another server has it", retry_after_seconds=1.0, server=server, base=base)


def test_server_of_a_job_is_asked_at_once() -> None:
    """The next try names it and its base; whoever asks is told, for the calls to come."""
    told: list[tuple[str, str]] = []
    retries = Retries(
        patience_seconds=60, timeout_seconds=None, on_server=lambda *said: told.append(said)
    )

    assert retries.pause_after(elsewhere("c2VydmVy", BASE)) == 0.0

    assert told == [("c2VydmVy", BASE)]
    assert dict(retries.metadata(((SERVER_METADATA, "b2xk"), ("authorization", "x")))) == {
        SERVER_METADATA: "c2VydmVy",
        BASE_METADATA: base_hint(BASE),
        "authorization": "x",
    }


def test_server_that_is_away_is_waited_for() -> None:
    """Named again it is not there; and servers that name each other do not make a client run."""
    clock = Clock()
    retries = Retries(patience_seconds=5, timeout_seconds=None, clock=clock, rng=random.Random(1))

    pauses = [retries.pause_after(elsewhere(name)) for name in ("YQ==", "YQ==", "Yg==", "Yw==")]

    assert [pause == 0.0 for pause in pauses] == [True, False, True, False]
    clock.now = 5
    with pytest.raises(Unavailable):
        retries.pause_after(elsewhere("Yw=="))
