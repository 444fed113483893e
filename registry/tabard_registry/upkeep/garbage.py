# SPDX-License-Identifier: Apache-2.0
"""Garbage collection: deletes bytes that no release needs, and announces that in the log first.

A deletion cannot be taken back and a store may carry it out late, so it is made safe by names. The
record that condemns digests moves them to a new generation: whoever stores such bytes afterwards
stores them under another key, which no earlier delete can hit. Whoever stored, or found, such bytes
before that record is refused when he publishes after it (BYTES_COLLECTED), and looks again. So at
every moment a key of an older generation than the log says is garbage, for good.

Nothing here touches `format.json`, `log/` and `hint.json`. Runs only when somebody asks for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from tabard_registry import acts
from tabard_registry.acts import Author
from tabard_registry.acts.garbage import DIGESTS_PER_COLLECTION_MAX
from tabard_registry.checkpoint.files import CHECKPOINT_PREFIX
from tabard_registry.errors import InvalidField
from tabard_registry.place import DOCTOR_FOLDER
from tabard_registry.refs.digest import Digest
from tabard_registry.registry import Registry
from tabard_registry.state.state import State
from tabard_registry.upkeep.inventory import Needs, StoredBlob, generation_of, stored_blobs
from tabard_registry.workers import WORKERS_MAX, Progress, each, no_progress

MIN_AGE_SECONDS = 7 * 24 * 3600.0
"""How old garbage is before it is collected. Not for safety: for those who publish slowly."""
CHECKPOINTS_KEPT = 3
"""How many of the newest checkpoints always stay."""
KEYS_NAMED_MAX = 100
"""How many keys a report names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """What a collection deleted; with `dry_run`, what it would delete.

    Attributes:
        dry_run: Whether nothing was written or deleted.
        blobs: Blobs that no release needs.
        leftovers: Objects that an earlier collection or a purge condemned and did not get rid of.
        freed_bytes: The size of both.
        checkpoints: Checkpoints older than the newest ones.
        probes: What a doctor left behind.
        swept: Writes that died unfinished, long ago.
        young: Blobs that no release needs, and that are not old enough.
        spared: Blobs that a release needed by the time they were to be condemned.
        collections: Positions of the records that condemned something.
        finished: Positions of collections that had been interrupted, now finished.
        keys: The first of the keys.
    """

    dry_run: bool
    blobs: int = 0
    leftovers: int = 0
    freed_bytes: int = 0
    checkpoints: int = 0
    probes: int = 0
    swept: int = 0
    young: int = 0
    spared: int = 0
    collections: tuple[int, ...] = ()
    finished: tuple[int, ...] = ()
    keys: tuple[str, ...] = ()


def collect(
    registry: Registry,
    *,
    min_age_seconds: float = MIN_AGE_SECONDS,
    dry_run: bool,
    author: Author,
    workers: int = WORKERS_MAX,
    progress: Progress = no_progress,
) -> Collected:
    """Delete blobs that no release needs, old checkpoints, and what a doctor left behind.

    Safe beside publishers and other collectors; after an interruption the next run finishes it.

    Args:
        registry: The registry.
        min_age_seconds: Leave alone what is younger, by the store's clock.
        dry_run: Only look.
        author: Who collects, and why.
        workers: How many deletes run at once.
        progress: Is told how far it is.

    Raises:
        InvalidField: The age is negative.
        NotFound, CorruptRegistry: A document of evidence is missing or cannot be read; nothing
            was deleted.
        StoreUnavailable: The store did not answer; run it again.
    """
    if min_age_seconds < 0:
        raise InvalidField(
            f"a minimum age of {min_age_seconds:g} seconds",
            reason="FIELD_INVALID",
            hint="Give 0 or more.",
        )
    state = registry.state
    # A document that cannot be read stops everything: which pictures it needs is not known.
    needs = Needs(state, read=registry.evidence.document)
    found = _survey(registry, state, needs=needs, min_age_seconds=min_age_seconds)
    if not dry_run:
        collector = _Collector(
            registry, needs=needs, author=author, workers=workers, progress=progress
        )
        return collector.run(found, interrupted=sorted(state.gc_open))
    return replace(
        _counted([*found.leftovers, *found.garbage], found=found),
        dry_run=True,
        blobs=len(found.garbage),
        finished=tuple(sorted(state.gc_open)),
    )


@dataclass(slots=True, kw_only=True)
class _Survey:
    garbage: list[StoredBlob] = field(default_factory=list)
    leftovers: list[StoredBlob] = field(default_factory=list)
    checkpoints: list[str] = field(default_factory=list)
    probes: list[str] = field(default_factory=list)
    young: int = 0


class _Collector:
    def __init__(
        self, registry: Registry, *, needs: Needs, author: Author, workers: int, progress: Progress
    ) -> None:
        self._registry = registry
        self._needs = needs
        self._author = author
        self._workers = workers
        self._progress = progress
        self._done = 0

    def run(self, found: _Survey, *, interrupted: Sequence[int]) -> Collected:
        total = len(found.leftovers) + len(found.garbage)
        # What an interrupted collection condemned is of an older generation by now: a leftover.
        self._delete((blob.key for blob in found.leftovers), total=total)
        for seq in interrupted:
            self._registry.commit(acts.end_collection(seq), author=self._author)
        collections: list[int] = []
        condemned: list[StoredBlob] = []
        for some in _batches(found.garbage):
            seq, lost = self._condemn(some)
            if seq:
                # Each was listed before the record existed: none is of the generation it begins.
                self._delete((blob.key for blob in lost), total=total)
                self._registry.commit(acts.end_collection(seq), author=self._author)
                collections.append(seq)
            condemned += lost
        self._delete((*found.checkpoints, *found.probes), total=None)
        return replace(
            _counted([*found.leftovers, *condemned], found=found),
            blobs=len(condemned),
            swept=self._registry.store.sweep(),
            spared=len(found.garbage) - len(condemned),
            collections=tuple(collections),
            finished=tuple(interrupted),
        )

    def _condemn(self, blobs: Sequence[StoredBlob]) -> tuple[int, list[StoredBlob]]:
        digests = [blob.digest for blob in blobs]
        act = acts.begin_collection(digests, is_needed=self._is_needed)
        landed = self._registry.commit(act, author=self._author)
        if landed is None:
            return 0, []
        condemned = frozenset(landed.action.summary["digests"])
        return landed.seq, [blob for blob in blobs if blob.digest.hex in condemned]

    def _is_needed(self, state: State, digest: Digest) -> bool:
        self._needs.follow(state)
        return digest in self._needs

    def _delete(self, keys: Iterable[str], *, total: int | None) -> None:
        for _ in each(self._registry.store.delete, keys, workers=self._workers):
            self._done += 1
            self._progress("deleting", self._done, total)


def _survey(registry: Registry, state: State, *, needs: Needs, min_age_seconds: float) -> _Survey:
    found = _Survey()
    for blob in stored_blobs(registry.store):
        # What is not named like a blob is not ours to delete; fsck tells of it.
        if isinstance(blob, str):
            continue
        is_needed = blob.digest in needs
        generation = generation_of(state, blob.digest)
        is_purged = not is_needed and str(blob.digest) in state.denied
        if blob.generation < generation or is_purged:
            found.leftovers.append(blob)
        elif not is_needed and blob.generation == generation:
            if blob.age_seconds >= min_age_seconds:
                found.garbage.append(blob)
            else:
                found.young += 1
    found.checkpoints.extend(_old_checkpoints(registry, min_age_seconds=min_age_seconds))
    found.probes.extend(
        one.key
        for one in registry.store.objects(f"{DOCTOR_FOLDER}/")
        if one.age_seconds >= min_age_seconds
    )
    return found


def _old_checkpoints(registry: Registry, *, min_age_seconds: float) -> list[str]:
    superfluous = frozenset(registry.checkpoints.keys()[CHECKPOINTS_KEPT:])
    return [
        one.key
        for one in registry.store.objects(CHECKPOINT_PREFIX)
        if one.key in superfluous and one.age_seconds >= min_age_seconds
    ]


def _batches(blobs: Sequence[StoredBlob]) -> Iterator[list[StoredBlob]]:
    left = iter(blobs)
    while some := list(islice(left, DIGESTS_PER_COLLECTION_MAX)):
        yield some


def _counted(deleted: Sequence[StoredBlob], *, found: _Survey) -> Collected:
    keys = [*(blob.key for blob in deleted[:KEYS_NAMED_MAX]), *found.checkpoints, *found.probes]
    return Collected(
        dry_run=False,
        leftovers=len(found.leftovers),
        freed_bytes=sum(blob.size_bytes for blob in deleted),
        checkpoints=len(found.checkpoints),
        probes=len(found.probes),
        young=found.young,
        keys=tuple(keys[:KEYS_NAMED_MAX]),
    )
