# SPDX-License-Identifier: Apache-2.0
"""Copies a whole registry: into a folder (export), and from a folder into an empty place (import).

The copy has the same id and history. `format.json` comes last, so what was interrupted is never
taken for a registry; doing it again goes on where it ended. Records that are there are never
overwritten: other ones are refused, and more of them too. Blobs that are missing or damaged are
brought back.
"""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tabard_registry.checkpoint import Checkpoints
from tabard_registry.checkpoint.files import CHECKPOINT_PREFIX
from tabard_registry.errors import (
    CorruptRegistry,
    NotFound,
    StoreUnavailable,
    UnusableRegistry,
)
from tabard_registry.log.chain import Link, links
from tabard_registry.log.records import RECORD_BYTES_MAX
from tabard_registry.log.slots import Log, LogLimits, slot_key
from tabard_registry.place import FORMAT_BYTES_MAX, local_root, open_store, refuse_unfit
from tabard_registry.refs.digest import Digest, sha256_bytes, sha256_file
from tabard_registry.registry import Registry
from tabard_registry.state.state import State
from tabard_registry.store.folder import FolderStore
from tabard_registry.store.store import FORMAT_KEY, Outcome, Store
from tabard_registry.upkeep.inventory import Needs, StoredBlob, current_key, stored_blobs
from tabard_registry.workers import WORKERS_MAX, Progress, each, no_progress

_LIMITS = LogLimits()
_COMPARED_AT_ONCE = 64
_PURGES_MAX = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Transferred:
    """What a transfer did.

    Attributes:
        registry_id: The registry, here and there.
        source: Where it came from.
        target: Where it went.
        seq: The last record of the copy.
        records: Records written; the others were there.
        blobs: Blobs written; the others were there.
        blob_bytes: The size of those written.
        mended: Those of them that took the place of damaged ones.
        present: Records and blobs that were there already.
    """

    registry_id: str
    source: str
    target: str
    seq: int
    records: int
    blobs: int
    blob_bytes: int
    mended: int
    present: int


def export_registry(
    registry: Registry,
    folder: Path,
    *,
    workers: int = WORKERS_MAX,
    sleep: Callable[[float], None] = time.sleep,
    progress: Progress = no_progress,
) -> Transferred:
    """Copy a registry as it is now into a folder that is a registry itself; acts may go on.

    What is purged meanwhile is not missed: the copy then goes on to the record that says so. Into a
    folder with an earlier export of the same registry: what is new is added, damaged blobs are
    mended, and bytes that were purged since are deleted there.

    Args:
        registry: The registry.
        folder: Empty, or an earlier export, complete or not.
        workers: How many blobs are copied at once.
        sleep: Waits between tries of a write.
        progress: Is told how far it is.

    Raises:
        UnusableRegistry: The folder holds something else, another history or a longer one, or is
            the registry's own.
        CorruptRegistry: The registry is damaged; the message names what.
        NotFound: A blob is missing.
        StoreUnavailable: The store did not answer, or the folder is full; try again.
    """
    for _ in range(_PURGES_MAX):
        target, seq = FolderStore(folder), registry.seq
        try:
            return _transfer(
                _Copy(registry, target, workers=workers, sleep=sleep, progress=progress)
            )
        except NotFound:
            registry.refresh()
            if registry.seq == seq:
                raise
    raise StoreUnavailable(
        f"{registry.store.url} was purged again and again while it was copied",
        reason="STORE_UNAVAILABLE",
        hint="Repeat the transfer: it goes on where it ended.",
    )


def import_registry(
    folder: Path,
    target: str | Store,
    *,
    workers: int = WORKERS_MAX,
    sleep: Callable[[float], None] = time.sleep,
    progress: Progress = no_progress,
) -> Transferred:
    """Make a place into the registry that a folder holds, with its id and history.

    Where that registry is already, what is missing is added: records, and blobs that are missing
    or damaged. Nothing goes back: a place with more records is refused.

    Args:
        folder: A registry; usually an export.
        target: `s3://bucket/prefix`, another folder, or a store; empty, what an interrupted
            import left, or the same registry.
        workers: How many blobs are copied at once.
        sleep: Waits between tries of a write.
        progress: Is told how far it is.

    Raises:
        UnusableRegistry: The folder is no registry, or the target holds something else, another
            history or a longer one.
        CorruptRegistry: The folder is damaged; the message names what.
        NotFound: A blob is missing in the folder.
        StoreUnavailable: The target did not take it; try again.
    """
    store = open_store(target) if isinstance(target, str) else target
    source = Registry.open(FolderStore(folder), create=False)
    try:
        return _transfer(_Copy(source, store, workers=workers, sleep=sleep, progress=progress))
    finally:
        source.close()


def _transfer(copy: _Copy) -> Transferred:
    copy.refuse_other_history()
    if copy.was_complete:
        # It is a registry to whoever opens it meanwhile: bytes first, then the records of them.
        copy.copy_blobs()
        copy.copy_log()
    else:
        # The log claims the place: with records there, nobody makes another registry of it.
        copy.copy_log()
        copy.copy_blobs()
    copy.delete_purged()
    copy.write_checkpoint()
    return copy.finish()


class _Copy:
    def __init__(
        self,
        registry: Registry,
        target: Store,
        *,
        workers: int,
        sleep: Callable[[float], None],
        progress: Progress,
    ) -> None:
        self._source = registry.store
        self._state: State = registry.state
        self._needs = Needs(self._state, read=registry.evidence.document)
        self._target = target
        self._workers = workers
        self._progress = progress
        self._log = Log(target, limits=_LIMITS, sleep=sleep, rng=random.Random())
        self._format = self._read_format()
        self.was_complete = self._refuse_others()
        self._records = self._blobs = self._blob_bytes = self._mended = self._present = 0

    def refuse_other_history(self) -> None:
        """Refuse, before anything is written, a registry whose log is another or goes on."""
        following = slot_key(self._state.seq + 1)
        is_ahead = self._target.read(following, bytes_max=RECORD_BYTES_MAX) is not None
        if is_ahead or self.was_complete:
            for some in self._pieces():
                for _ in self._compared(some):
                    pass
        if is_ahead:
            raise _occupied(
                self._target,
                f"is ahead: {self._source.url} ends at record {self._state.seq}",
                hint="What is ahead stays, and nothing was changed. To go back, choose an empty "
                "place. To mend it, bring the older one up to it with `tabard backup` first.",
            )

    def copy_log(self) -> None:
        """Create every record that is not there, in order."""
        done = 0
        for some in self._pieces():
            for link, there in self._compared(some):
                if there is None:
                    self._create(link.key, body=link.content)
                    self._records += 1
                else:
                    self._present += 1
                done += 1
                self._progress("copying the log", done, self._state.seq)

    def copy_blobs(self) -> None:
        """Store every blob that a release needs, verified on the way."""
        needs = self._needs
        copied = each(
            lambda digest: self._copy_blob(digest, wanted=needs.size_bytes(digest)),
            needs,
            workers=self._workers,
        )
        for number, (size_bytes, was_damaged) in enumerate(copied, start=1):
            self._progress("copying blobs", number, len(needs))
            if size_bytes is None:
                self._present += 1
            else:
                self._blobs += 1
                self._blob_bytes += size_bytes
                self._mended += was_damaged

    def delete_purged(self) -> None:
        """Delete from an earlier copy what was purged since."""
        for blob in list(stored_blobs(self._target)):
            if not isinstance(blob, StoredBlob):
                continue
            is_purged = str(blob.digest) in self._state.denied or blob.digest in self._needs.purged
            if is_purged and blob.digest not in self._needs:
                self._target.delete(blob.key)

    def write_checkpoint(self) -> None:
        """Keep the state as a checkpoint, unless the target has one as new."""
        checkpoints = Checkpoints(self._target, registry_id=self._state.registry_id)
        newest = next(iter(checkpoints.keys()), "")
        if self._state.seq > 0 and newest < f"{CHECKPOINT_PREFIX}{self._state.seq:020d}":
            checkpoints.write(self._state)

    def finish(self) -> Transferred:
        """Write, last of all, what makes the place a registry, and look at what it is now."""
        self._create(FORMAT_KEY, body=self._format)
        copied = Registry.open(self._target, create=False)
        try:
            following = copied.since(self._state.seq, limit=1)
            head = following[0].record.prev if following else copied.state.head
            if copied.id != self._state.registry_id or head != self._state.head:
                raise _occupied(self._target, "has another history than what was copied")
        finally:
            copied.close()
        return Transferred(
            registry_id=self._state.registry_id,
            source=self._source.url,
            target=self._target.url,
            seq=self._state.seq,
            records=self._records,
            blobs=self._blobs,
            blob_bytes=self._blob_bytes,
            mended=self._mended,
            present=self._present,
        )

    def _read_format(self) -> bytes:
        content = self._source.read(FORMAT_KEY, bytes_max=FORMAT_BYTES_MAX)
        if content is None:
            raise CorruptRegistry(
                f"{FORMAT_KEY} is missing in {self._source.url}",
                reason="CORRUPT_FORMAT",
                hint="`tabard restore BACKUP URL` brings it back from a backup.",
            )
        return content

    def _refuse_others(self) -> bool:
        """Return whether the target is this registry: what an interrupted transfer left is not."""
        source, target = local_root(self._source), local_root(self._target)
        if source and target and target.is_relative_to(source):
            inside = "the same folder as" if target == source else "inside"
            raise _occupied(self._target, f"is {inside} {self._source.url}, which is copied")
        refuse_unfit(self._target)
        found = self._target.read(FORMAT_KEY, bytes_max=FORMAT_BYTES_MAX)
        if found not in (None, self._format):
            raise _occupied(self._target, "holds another registry")
        return found is not None

    def _pieces(self) -> Iterator[list[Link]]:
        some: list[Link] = []
        genesis = sha256_bytes(self._format)
        seq = 0
        for link in links(self._source, genesis=genesis, until=self._state.seq):
            if link.problem is not None:
                raise link.problem
            seq = link.seq
            some.append(link)
            if len(some) == _COMPARED_AT_ONCE:
                yield some
                some = []
        if seq != self._state.seq:
            raise CorruptRegistry(
                f"{slot_key(seq + 1)} is missing in {self._source.url}",
                reason="CORRUPT_RECORD",
                hint=f"Restore {slot_key(seq + 1)} from a backup.",
            )
        yield some

    def _compared(self, some: list[Link]) -> Iterator[tuple[Link, bytes | None]]:
        keys = [link.key for link in some]
        found = self._target.read_many(keys, bytes_max=RECORD_BYTES_MAX)
        for link, there in zip(some, found, strict=True):
            if there not in (None, link.content):
                raise _occupied(self._target, f"has another record in {link.key}")
            yield link, there

    def _create(self, key: str, *, body: bytes) -> None:
        """Create an object; whatever the store answers, read before trying again."""
        for attempt in range(_LIMITS.slot_attempts_max):
            if self._target.create(key, body=body) is Outcome.CREATED:
                return
            found = self._target.read(key, bytes_max=RECORD_BYTES_MAX)
            if found == body:
                return
            if found is not None:
                raise _occupied(self._target, f"has something else in {key}")
            self._log.pause(attempt)
        raise StoreUnavailable(
            f"cannot tell whether {key} of {self._target.url} was written",
            reason="COMMIT_UNKNOWN",
            hint="Repeat the transfer: it goes on where it ended.",
        )

    def _copy_blob(self, digest: Digest, *, wanted: int | None) -> tuple[int | None, bool]:
        """Copy one blob, of the size that it has by the log.

        Returns:
            Its size, or None if it is there; and whether it was there, damaged.
        """
        key = current_key(self._state, digest)
        there = self._target.size_bytes(key)
        if there is not None and self._is_whole(key, digest=digest, size_bytes=there):
            return None, False  # whatever became of it in the source
        if wanted is not None and self._source.size_bytes(key) not in (wanted, None):
            raise self._damaged(key)
        if there is not None:
            # What is wrong goes only when what is right is certain.
            for _ in self._verified(key, digest=digest, sizes=[]):
                pass
            self._target.delete(key)
        sizes: list[int] = []
        self._target.put(key, chunks=self._verified(key, digest=digest, sizes=sizes))
        return sum(sizes), there is not None

    def _is_whole(self, key: str, *, digest: Digest, size_bytes: int) -> bool:
        path = self._target.local_path(key)
        if path is not None:
            return sha256_file(path) == digest
        if size_bytes != self._source.size_bytes(key):
            return False  # what is no file may have no end
        if not self.was_complete:
            return True  # this transfer began it, and a store shows objects whole or not at all
        hasher = hashlib.sha256()
        for chunk in self._target.stream(key):
            hasher.update(chunk)
        return hasher.hexdigest() == digest.hex

    def _verified(self, key: str, *, digest: Digest, sizes: list[int]) -> Iterator[bytes]:
        hasher = hashlib.sha256()
        for chunk in self._source.stream(key):
            hasher.update(chunk)
            sizes.append(len(chunk))
            yield chunk
        if hasher.hexdigest() != digest.hex:
            raise self._damaged(key)

    def _damaged(self, key: str) -> CorruptRegistry:
        return CorruptRegistry(
            f"the bytes of {key} in {self._source.url} do not have the digest in its name",
            reason="CORRUPT_BLOB",
            hint=f"Restore {key} from a backup, or purge the release that needs it.",
        )


def _occupied(store: Store, what: str, *, hint: str = "") -> UnusableRegistry:
    return UnusableRegistry(
        f"{store.url} {what}",
        reason="PLACE_OCCUPIED",
        hint=hint or "Choose an empty place; nothing was overwritten.",
    )
