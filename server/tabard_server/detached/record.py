# SPDX-License-Identifier: Apache-2.0
"""What is kept of a detached job, as a value that a file can hold. Knows no protobuf, no disk."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import ClassVar

from pydantic import ConfigDict, TypeAdapter

from tabard_registry.identity.identity import Identity, Proof
from tabard_registry.state.sight import namespaces_needed
from tabard_server.error_kinds import Kind, Refusal
from tabard_server.jobs.job import Accepted, Again, ImageFormat, Job

RUN_SHIFT = 32
"""Ids of events rise from run to run: the upper bits of an id are the number of the run."""


class JobState(StrEnum):
    """How far a job is."""

    WAITING = "waiting"
    """No step was done for it."""
    RUNNING = "running"
    """It is being drawn."""
    SUCCEEDED = "succeeded"
    """All images are there."""
    FAILED = "failed"
    """It ended without all its images."""
    CANCELLED = "cancelled"
    """Its caller ended it."""

    @property
    def is_ended(self) -> bool:
        """Whether nothing comes any more, unless it is run again."""
        return self not in (JobState.WAITING, JobState.RUNNING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Whose job it is: the same name shown by another proof may be somebody else."""

    proof: Proof
    name: str
    tenant: str

    @classmethod
    def of(cls, identity: Identity) -> "Owner":
        """Return whose the jobs of an identity are."""
        return cls(proof=identity.proof, name=identity.name, tenant=identity.tenant)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptImage:
    """A finished image, whose bytes lie elsewhere.

    Attributes:
        index: Which image of the job.
        seed: Its seed.
        format: How it is written.
        byte_count: Its size.
        digest: `sha256:…` of its bytes.
        event_id: Of the event that tells of it.
    """

    index: int
    seed: int
    format: ImageFormat
    byte_count: int
    digest: str
    event_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a job ended without all its images; as a refusal says it.

    Attributes:
        kind: Name of the kind of refusal.
        reason: Stable code.
        message: What went wrong.
        hint: What to do next.
        retry_seconds: When to run it again; None: not on its own account.
    """

    kind: str
    reason: str
    message: str
    hint: str
    retry_seconds: float | None

    @classmethod
    def of(cls, refusal: Refusal) -> "Failure":
        """Keep a refusal."""
        return cls(
            kind=refusal.kind.name,
            reason=refusal.reason,
            message=refusal.message,
            hint=refusal.hint,
            retry_seconds=refusal.retry_seconds,
        )

    @property
    def refusal(self) -> Refusal:
        """What a caller is told."""
        return Refusal(
            kind=Kind[self.kind],
            message=self.message,
            reason=self.reason,
            hint=self.hint,
            retry_seconds=self.retry_seconds,
        )


class HookState(StrEnum):
    """What became of a webhook."""

    WAITING = "waiting"
    """The job runs, or it is tried again."""
    DELIVERED = "delivered"
    """Its receiver has taken it."""
    FAILED = "failed"
    """It was given up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """Who is told of the end of a job.

    Attributes:
        url: Where.
        state: What became of it.
        attempts: How often it was tried.
        problem: Why the last try failed; empty: it did not.
    """

    url: str
    state: HookState = HookState.WAITING
    attempts: int = 0
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """What a ref meant when the job was admitted."""

    ref: str
    digest: str
    is_canary: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRecord:
    """A detached job.

    Attributes:
        id: Its id.
        owner: Whose it is.
        request_id: Its owner's own id of it; empty: none.
        fingerprint: Equal for the same request, in hex.
        created_at: When it was accepted first, in seconds since 1970.
        run: How often it was begun.
        accepted: What its caller was told when it was accepted, as the door writes it.
        seeds: One for each image.
        pins: What its refs meant.
        digests: Everything it relies on.
        namespaces: Where that is: who asks for it needs to generate there.
        registry_seq: Log position at which it was pinned.
        place: Namespace in whose bucket the images are; empty: on this server's disk.
        state: How far it is.
        images: Those that are finished, by index.
        last_event: Id of the newest event that was kept.
        ended_at: When it ended; 0: it has not.
        queue_seconds: Admission to the first step.
        total_seconds: Admission to the last image.
        failure: Why it has not all its images; None: it has, or runs.
        hook: Who is told of its end; None: nobody.
    """

    # So that the JSON holds what a door wrote, whatever it is.
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        ser_json_bytes="base64", val_json_bytes="base64"
    )

    id: str
    owner: Owner
    request_id: str
    fingerprint: str
    created_at: float
    run: int
    accepted: bytes
    seeds: tuple[int, ...]
    pins: tuple[Pin, ...]
    digests: tuple[str, ...]
    namespaces: tuple[str, ...]
    registry_seq: int
    place: str = ""
    state: JobState = JobState.WAITING
    images: tuple[KeptImage, ...] = ()
    last_event: int = 0
    ended_at: float = 0.0
    queue_seconds: float = 0.0
    total_seconds: float = 0.0
    failure: Failure | None = None
    hook: Hook | None = None

    @property
    def byte_count(self) -> int:
        """Bytes of its images."""
        return sum(one.byte_count for one in self.images)

    @property
    def accepted_event(self) -> int:
        """Id of the event that it was accepted."""
        return (self.run << RUN_SHIFT) + 1

    @property
    def can_be_retried(self) -> bool:
        """Whether it ended in a way that asks for another try."""
        return self.failure is not None and self.failure.retry_seconds is not None

    @property
    def again(self) -> Again:
        """What another run of it takes from this one."""
        pins = {one.ref: (one.digest, one.is_canary) for one in self.pins}
        return Again(job_id=self.id, pins=pins)

    def write(self) -> bytes:
        """Return it as JSON."""
        return _JSON.dump_json(self)

    @classmethod
    def read(cls, document: bytes) -> "JobRecord":
        """Read what `write` wrote.

        Raises:
            ValueError: It is none.
        """
        return _JSON.validate_json(document)


def record_of(
    accepted: Accepted,
    *,
    told: bytes,
    request_id: str,
    fingerprint: str,
    place: str,
    hook_url: str,
    now: float,
) -> JobRecord:
    """Return the record of a job that was just accepted, for the first time."""
    job = accepted.job
    record = JobRecord(
        id=job.id,
        owner=Owner.of(job.identity),
        request_id=request_id,
        fingerprint=fingerprint,
        created_at=now,
        run=1,
        accepted=told,
        seeds=job.seeds,
        pins=_pins_of(job),
        digests=tuple(sorted(job.pinned)),
        namespaces=_namespaces_of(job),
        registry_seq=job.registry_seq,
        place=place,
        hook=Hook(url=hook_url) if hook_url else None,
    )
    return replace(record, last_event=record.accepted_event)


def begun_again(record: JobRecord, accepted: Accepted, *, told: bytes) -> JobRecord:
    """Return the record of a job that was accepted once more."""
    hook = record.hook
    begun = replace(
        record,
        run=record.run + 1,
        accepted=told,
        registry_seq=accepted.job.registry_seq,
        state=JobState.WAITING,
        images=(),
        ended_at=0.0,
        failure=None,
        hook=Hook(url=hook.url) if hook else None,
    )
    return replace(begun, last_event=begun.accepted_event)


def ended(
    record: JobRecord, *, event_id: int, now: float, failure: Failure | None = None
) -> JobRecord:
    """Return the record of a job that is over."""
    state = JobState.SUCCEEDED
    if failure is not None:
        is_cancelled = failure.kind == Kind.CANCELLED.name
        state = JobState.CANCELLED if is_cancelled else JobState.FAILED
    return replace(record, state=state, failure=failure, ended_at=now, last_event=event_id)


def _pins_of(job: Job) -> tuple[Pin, ...]:
    pins = {}
    for one in job.worn:
        release = one.release if one.recipe is None else one.recipe.release
        pins[one.ref] = Pin(ref=one.ref, digest=str(release.digest), is_canary=one.is_canary)
    return tuple(pins.values())


def _namespaces_of(job: Job) -> tuple[str, ...]:
    releases = [worn.release for worn in job.worn]
    releases += [recipe.release for recipe in job.recipes]
    return tuple(sorted(namespaces_needed(releases)))


_JSON = TypeAdapter(JobRecord)
