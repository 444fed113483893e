# SPDX-License-Identifier: Apache-2.0
"""The book of request ids: which job each stands for, so that it is asked for once.

In: requests with an id of their caller's, and what became of them. Out: the job that an id stands
for, while it runs and as long as its images are kept; later only how it ended. Bounded by time,
number and bytes. Asyncio thread; knows neither the engine nor protobuf.
"""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import xxhash

from tabard_registry.identity.identity import ANYBODY, Proof
from tabard_server.callers.caller import NOBODY
from tabard_server.error_kinds import refusal_of
from tabard_server.errors import RequestIdTaken
from tabard_server.jobs.job import Job, JobSpec
from tabard_server.jobs.outbox import Outbox, bare
from tabard_server.limits import Limits

Holder: TypeAlias = tuple[Proof, str, str]
"""Proof, name and tenant of whose images are kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestKey:
    """Whose id it is, and the id: of another identity or tenant it is another one.

    The same name shown by a token and by a certificate may be two people.
    """

    proof: Proof
    identity: str
    tenant: str
    id: str

    @property
    def holder(self) -> Holder:
        """Who holds what is kept."""
        return self.proof, self.identity, self.tenant


@dataclass(slots=True, kw_only=True, eq=False)
class Entry:
    """One request that became a job, or is about to.

    Attributes:
        key: Its id; None: it has none, and nobody will ask for it again.
        fingerprint: Equal for the same request.
        settled: Set once it became a job, or was refused.
        job: What it became. None: nothing yet, or it is long over.
        job_id: The id of that.
        rows_ahead: Images that waited when it was admitted.
        outbox: Where its images are; None: nobody has them any more.
        ended_at: When it ended; None: it runs.
        outcome: How it ended.
        error: Why it ended without all its images; None: it has them.
        noted_bytes: What the book counts for it.
    """

    key: RequestKey | None = None
    fingerprint: bytes = b""
    settled: asyncio.Event = field(default_factory=asyncio.Event)
    job: Job | None = None
    job_id: str = ""
    rows_ahead: int = 0
    outbox: Outbox | None = None
    ended_at: float | None = None
    outcome: str = ""
    error: Exception | None = None
    noted_bytes: int = 0

    def not_kept(self) -> Exception:
        """Return what there is to say of a job whose images nobody has any more."""
        if self.error is not None:
            return bare(self.error)
        became = "runs, and was read in part" if self.ended_at is None else "is done"
        return RequestIdTaken(
            f"the job of this request id, {self.job_id}, {became}; its images are not kept any "
            "more",
            reason="RESULT_NOT_KEPT",
            hint="ask with another request id to have it drawn again (limits.replay_seconds_max, "
            "limits.replay_bytes_max)",
        )


class RequestBook:
    """Entries by id."""

    def __init__(
        self,
        limits: Limits,
        *,
        clock: Callable[[], float],
        on_kept: Callable[[int], None] = lambda _bytes: None,
    ) -> None:
        """Take its bounds, and what is told how many bytes are kept.

        Args:
            limits: How long an id and images are kept, and how many of each.
            clock: Monotonic seconds.
            on_kept: Told of every change.
        """
        self._on_kept = on_kept
        self._limits = limits
        self._clock = clock
        self._entries: dict[RequestKey, Entry] = {}
        self._ended: OrderedDict[RequestKey, Entry] = OrderedDict()
        self._kept_ended: OrderedDict[RequestKey, Entry] = OrderedDict()
        self._holding: dict[Holder, OrderedDict[RequestKey, Entry]] = {}
        self._bytes: Counter[Holder] = Counter()
        self.kept_bytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    async def entry_of(self, spec: JobSpec) -> Entry:
        """Return what the id of a request stands for, once it is settled; else a new entry.

        Raises:
            RequestIdTaken: It stands for another request.
        """
        if not spec.request_id:
            return Entry()
        who = spec.identity
        key = RequestKey(proof=who.proof, identity=who.name, tenant=who.tenant, id=spec.request_id)
        fingerprint = fingerprint_of(spec)
        while found := self.find(key, fingerprint=fingerprint):
            if found.settled.is_set():
                return found
            # If that one is refused, this one asks for itself.
            await found.settled.wait()
        return self.begin(key, fingerprint=fingerprint)

    def find(self, key: RequestKey, *, fingerprint: bytes) -> Entry | None:
        """Return what an id stands for; None: nothing.

        Raises:
            RequestIdTaken: It stands for another request.
        """
        self.expire()
        found = self._entries.get(key)
        if found is not None and found.fingerprint != fingerprint:
            raise RequestIdTaken(
                "the request id was used for another request",
                reason="REQUEST_ID_REUSED",
                hint="make a fresh request id for each job",
            )
        return found

    def begin(self, key: RequestKey, *, fingerprint: bytes) -> Entry:
        """Let an id stand for a request that asks to be admitted."""
        assert key not in self._entries
        while len(self._entries) >= self._limits.requests_remembered_max and self._ended:
            self._drop(next(iter(self._ended.values())))
        entry = self._entries[key] = Entry(key=key, fingerprint=fingerprint)
        return entry

    def refuse(self, entry: Entry) -> None:
        """Forget an id whose request was refused: it may be asked again."""
        if entry.key is not None:
            self._entries.pop(entry.key, None)
        entry.settled.set()

    def admit(self, entry: Entry, job: Job, *, rows_ahead: int, outbox: Outbox) -> None:
        """Let an id stand for a job."""
        entry.job, entry.job_id, entry.rows_ahead = job, job.id, rows_ahead
        entry.outbox = outbox
        entry.settled.set()

    def note(self, entry: Entry) -> None:
        """Count what is kept of a job, and make room where that is too much."""
        if entry.key is None or entry.outbox is None:
            return
        self._count(entry, entry.outbox.kept_bytes)
        while self.kept_bytes > self._limits.replay_bytes_max:
            self._forget(self._least_wanted())

    def end(self, entry: Entry, *, outcome: str, error: Exception | None) -> None:
        """Note how a job ended. What it began with, which may be large, is let go of.

        A job whose caller is told to come back is forgotten like a refusal.
        """
        entry.ended_at, entry.outcome, entry.error = self._clock(), outcome, error
        if entry.key is None:
            return
        if error is not None and refusal_of(error).retry_seconds is not None:
            self._forget(entry)
            del self._entries[entry.key]
            return
        self._ended[entry.key] = entry
        if entry.outbox is None:
            entry.job = None
            return
        entry.job = entry.job and _without_drawing(entry.job)
        self._kept_ended[entry.key] = entry
        self.note(entry)

    def forget_where(self, concerns: Callable[[Job], bool]) -> None:
        """Give the images of some jobs to nobody who comes again; a reader that is here goes on."""
        # Running ones, too: they may have images that were read, or be ending just now.
        for entry in list(self._entries.values()):
            if entry.job is not None and concerns(entry.job):
                self._forget(entry)

    def expire(self) -> None:
        """Let go of images, then of ids, whose time is over."""
        now, limits = self._clock(), self._limits
        _each_due(self._kept_ended, before=now - limits.replay_seconds_max, do=self._forget)
        _each_due(self._ended, before=now - limits.request_window_seconds, do=self._drop)

    def _least_wanted(self) -> Entry:
        """Return the oldest of whoever has most, of ended jobs before running ones."""
        most = max(self._bytes, key=lambda holder: self._bytes[holder])
        entries = self._holding[most].values()
        return next((one for one in entries if one.ended_at is not None), next(iter(entries)))

    def _forget(self, entry: Entry) -> None:
        """Keep no images of a job; how it ended is still known."""
        assert entry.key is not None
        if entry.outbox is not None:
            entry.outbox.forget()
        self._count(entry, 0)
        entry.outbox = None
        self._kept_ended.pop(entry.key, None)
        if entry.ended_at is not None:
            entry.job = None

    def _drop(self, entry: Entry) -> None:
        assert entry.key is not None
        self._forget(entry)
        del self._ended[entry.key], self._entries[entry.key]

    def _count(self, entry: Entry, bytes_now: int) -> None:
        assert entry.key is not None
        holder, change = entry.key.holder, bytes_now - entry.noted_bytes
        entry.noted_bytes = bytes_now
        self.kept_bytes += change
        self._on_kept(self.kept_bytes)
        self._bytes[holder] += change
        held = self._holding.setdefault(holder, OrderedDict())
        if bytes_now:
            held[entry.key] = entry
        else:
            held.pop(entry.key, None)
        if not held:
            del self._holding[holder], self._bytes[holder]


def fingerprint_of(spec: JobSpec) -> bytes:
    """Return what is equal for the same request: not its id, its time, who asks and where."""
    wanted = spec.wanted
    files = [wanted.image, wanted.mask_image, *(one.mask for one in wanted.regions)]
    has_files = [one is not None for one in files]
    said = replace(
        spec,
        wanted=replace(
            wanted,
            image=None,
            mask_image=None,
            regions=tuple(replace(one, mask=None) for one in wanted.regions),
        ),
        request_id="",
        traceparent="",
        seconds_left=None,
        caller=NOBODY,
        identity=ANYBODY,
        again=None,
        base="",
    )
    said_bytes = repr((said, has_files)).encode(errors="surrogatepass")
    parts = (said_bytes, *(one or b"" for one in files))
    return b"".join(map(xxhash.xxh3_128_digest, parts))


def _each_due(
    entries: OrderedDict[RequestKey, Entry], *, before: float, do: Callable[[Entry], None]
) -> None:
    while entries:
        oldest = next(iter(entries.values()))
        if oldest.ended_at is None or oldest.ended_at > before:
            return
        do(oldest)


def _without_drawing(job: Job) -> Job:
    """Return a job with what a later reader is told of it; prompts and pictures are large."""
    said = replace(
        job.drawing, prompt="", negative_prompt="", regions=(), picture=None, strength=None
    )
    return replace(job, drawing=said)
