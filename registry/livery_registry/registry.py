# SPDX-License-Identifier: Apache-2.0
"""The registry: publish, promote, roll back, yank, resolve and history, over one log and its blobs.

Everything comes in as parsed values and goes out as frozen ones. Reads are answered from an
immutable snapshot; writes go through the journal. Knows nothing of gRPC, torch or devices.
"""

from __future__ import annotations

import random
import secrets
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from livery_registry import acts
from livery_registry.answers import Manifests, describe_move
from livery_registry.assembly import assemble_manifest
from livery_registry.blobs import Blobs
from livery_registry.canonical import write_canonical
from livery_registry.digest import Digest
from livery_registry.errors import IntakeRefused, InvalidField
from livery_registry.journal import Journal, Wish
from livery_registry.log import Log, LogLimits
from livery_registry.manifest import BlobRef, Manifest
from livery_registry.names import AdapterName, AdapterRef
from livery_registry.place import Place, open_place, open_store
from livery_registry.records import AppliedRecord
from livery_registry.release import (
    Absent,
    Adapter,
    ChannelMove,
    Published,
    Release,
    ReleaseDraft,
)
from livery_registry.report import Checked
from livery_registry.semver import Version
from livery_registry.state import State
from livery_registry.store import Store
from livery_registry.store.folder import FolderStore


def utc_now() -> datetime:
    """Return the time; the default clock."""
    return datetime.now(UTC)


def random_id() -> str:
    """Return 128 random bits in hexadecimal; the default source of ids."""
    return secrets.token_hex(16)


class Registry:
    """One registry, opened. Thread-safe; several processes may have the same one open."""

    def __init__(
        self,
        place: Place,
        *,
        clock: Callable[[], datetime],
        new_id: Callable[[], str],
        limits: LogLimits,
        sleep: Callable[[float], None],
        rng: random.Random,
    ) -> None:
        log = Log(place.store, limits=limits, sleep=sleep, rng=rng)
        self._place = place
        self._blobs = Blobs(place.store)
        self._journal = Journal(place, log=log, limits=limits, clock=clock, new_id=new_id)
        self._manifests = Manifests(self._blobs)
        self._lock = threading.Lock()
        self._refreshed_seq = self._journal.state.seq

    @classmethod
    def open(
        cls,
        url: str | Store,
        *,
        clock: Callable[[], datetime] = utc_now,
        new_id: Callable[[], str] = random_id,
        create: bool = True,
        limits: LogLimits | None = None,
        sleep: Callable[[float], None] = time.sleep,
        rng: random.Random | None = None,
    ) -> Registry:
        """Open a registry, or make one in an empty place, and read its log to the end.

        Args:
            url: `file:///…`, a plain path, or a store.
            clock: Returns an aware time; its only use is the `time` of records.
            new_id: Returns a fresh random id, for records and for a new registry.
            create: Whether an empty place may become a registry.
            limits: How patient writers are.
            sleep: Waits some seconds; between tries of a write.
            rng: Jitter of those waits.

        Raises:
            UnusableRegistry: The place cannot be used; nothing was changed there.
            CorruptRegistry: Stored bytes are damaged; the message names them.
            StoreUnavailable: The store did not answer.
        """
        store = open_store(url) if isinstance(url, str) else url
        place = open_place(store, new_id=new_id, create=create)
        if isinstance(store, FolderStore):
            store.sweep()
        return cls(
            place,
            clock=clock,
            new_id=new_id,
            limits=limits or LogLimits(),
            sleep=sleep,
            rng=rng or random.Random(),
        )

    @property
    def id(self) -> str:
        """The registry's id, chosen when it was made."""
        return self._place.registry_id

    @property
    def url(self) -> str:
        """Where it is."""
        return self._place.store.url

    @property
    def state(self) -> State:
        """The newest snapshot; immutable."""
        return self._journal.state

    @property
    def seq(self) -> int:
        """Log position of the newest snapshot."""
        return self._journal.state.seq

    def refresh(self) -> tuple[AppliedRecord, ...]:
        """Read what is new in the log, and return every record since the last refresh.

        That includes this process's own acts. For one follower; others keep a position of their
        own and use `since`.

        Raises:
            CorruptRegistry, UnusableRegistry, StoreUnavailable: The snapshot stays as it was.
        """
        self._journal.catch_up()
        with self._lock:
            found = tuple(self._journal.applied(after=self._refreshed_seq))
            self._refreshed_seq += len(found)
        return found

    def since(self, seq: int) -> tuple[AppliedRecord, ...]:
        """Return the records of the snapshot after a position, oldest first."""
        return tuple(self._journal.applied(after=max(0, seq)))

    def publish(
        self,
        draft: ReleaseDraft,
        *,
        checked: Checked,
        files: Sequence[Path],
        actor: str,
        reason: str = "",
        request_id: str = "",
    ) -> Published:
        """Publish checked files as a release. Equal files and words again: the same release.

        Args:
            draft: What the author says.
            checked: The outcome of the check of these files.
            files: The files, as they were checked; they stay where they are.
            actor: Who publishes; not empty.
            reason: Why.
            request_id: Key of the caller for this act.

        Raises:
            IntakeRefused: The check did not accept the files.
            AlreadyExists: The version holds something else.
            CorruptRegistry: A file changed since it was checked.
            StoreUnavailable: The store did not take it; nothing is visible of it.
        """
        if not checked.report.accepted:
            raise IntakeRefused(checked.report)
        wish = Wish(actor=actor, reason=reason, request_id=request_id)
        manifest = self._store_blobs(draft, checked=checked, files=files)
        applied = self._journal.commit(acts.publish(manifest), wish=wish)
        release = self.state.adapters[draft.adapter].by_version[draft.version]
        return Published(release=release, created=applied is not None, seq=release.seq)

    def promote(
        self,
        ref: AdapterRef,
        *,
        channel: str,
        actor: str,
        reason: str = "",
        expect: Digest | Absent | None = None,
        request_id: str = "",
    ) -> ChannelMove:
        """Move a channel to what a ref means.

        Args:
            ref: The release: an exact version or digest, or another channel to copy from.
            channel: The channel.
            actor: Who; not empty.
            reason: Why.
            expect: Where the channel must point now; `Absent()`: it must not exist; None: anywhere.
            request_id: Key of the caller for this act.

        Raises:
            NotFound: There is no such release.
            PreconditionFailed: The channel is elsewhere (EXPECT_MISMATCH), or the release yanked.
        """
        act = acts.promote(ref, channel=channel, expect=expect)
        wish = Wish(actor=actor, reason=reason, request_id=request_id)
        return self._move(act, wish=wish, adapter=ref.adapter, channel=channel)

    def roll_back(
        self,
        adapter: AdapterName,
        *,
        channel: str,
        to: Version | None = None,
        actor: str,
        reason: str,
        expect: Digest | Absent | None = None,
        request_id: str = "",
    ) -> ChannelMove:
        """Return a channel to the release before, or to an earlier one. Needs only the log.

        Promotions pile up and rollbacks take from the pile: rolling back twice goes two back.
        Yanked releases are passed over.

        Args:
            adapter: The release line.
            channel: The channel.
            to: A version that was on the channel before; None: the release before.
            actor: Who; not empty.
            reason: Why; not empty.
            expect: Where the channel must point now.
            request_id: Key of the caller for this act.

        Raises:
            InvalidField: There is no reason.
            NotFound: There is no such adapter, channel or version.
            PreconditionFailed: There is nothing before (NOTHING_TO_ROLL_BACK), `to` was never on
                the channel or is yanked, or somebody else moved the channel (EXPECT_MISMATCH).
        """
        _require_reason(reason, act="a rollback")
        act = acts.roll_back(adapter, channel=channel, to=to, expect=expect)
        wish = Wish(actor=actor, reason=reason, request_id=request_id)
        return self._move(act, wish=wish, adapter=adapter, channel=channel)

    def yank(self, ref: AdapterRef, *, actor: str, reason: str, request_id: str = "") -> Release:
        """Take a release out of resolution by channel; exact pins still work.

        Raises:
            InvalidField: The ref names a channel, or there is no reason.
            NotFound: There is no such release.
        """
        _require_reason(reason, act="a yank")
        wish = Wish(actor=actor, reason=reason, request_id=request_id)
        self._journal.commit(acts.set_yanked(ref, yanked=True), wish=wish)
        return self.resolve(ref)

    def unyank(self, ref: AdapterRef, *, actor: str, reason: str, request_id: str = "") -> Release:
        """Undo a yank. Raises what `yank` raises."""
        _require_reason(reason, act="an unyank")
        wish = Wish(actor=actor, reason=reason, request_id=request_id)
        self._journal.commit(acts.set_yanked(ref, yanked=False), wish=wish)
        return self.resolve(ref)

    def resolve(self, ref: AdapterRef) -> Release:
        """Return what a ref means in the newest snapshot. Does no I/O.

        Raises:
            NotFound: There is no such adapter, release or channel; the hint lists near ones.
            PreconditionFailed: The channel points to a yanked release.
        """
        return self.state.resolve(ref)

    def adapter(self, name: AdapterName) -> Adapter:
        """Return one release line. Raises NotFound."""
        return self.state.adapter(name)

    def adapters(self) -> tuple[Adapter, ...]:
        """Return all release lines, by name."""
        found = self.state.adapters
        return tuple(found[name] for name in sorted(found))

    def history(
        self,
        adapter: AdapterName | None = None,
        *,
        channel: str | None = None,
        limit: int | None = None,
    ) -> tuple[AppliedRecord, ...]:
        """Return the newest records that concern an adapter and a channel, oldest first.

        Args:
            adapter: Only of this adapter; None: of all.
            channel: Only moves of this channel; None: everything.
            limit: At most this many; None: all.
        """
        name = str(adapter) if adapter else None
        newest_first = map(self._journal.record, range(self.seq, 0, -1))
        found = (a for a in newest_first if a.concerns(adapter=name, channel=channel))
        return tuple(reversed(list(islice(found, limit))))

    def manifest(self, digest: Digest) -> Manifest:
        """Return a release's manifest, verified; the last few are kept in memory.

        Raises:
            NotFound: There is no such blob.
            CorruptRegistry: The blob is damaged.
        """
        return self._manifests.get(digest)

    def fetch(self, blob: BlobRef, target: Path) -> None:
        """Copy a blob to a file, verified; the file appears whole or not at all.

        Raises:
            NotFound: There is no such blob.
            CorruptRegistry: The blob is damaged.
        """
        self._blobs.fetch(blob.sha256, target=target)

    def blob_path(self, digest: Digest) -> Path | None:
        """Return the blob as a local file, unverified; None when the store is elsewhere.

        Raises:
            NotFound: There is no such blob.
        """
        return self._blobs.path(digest)

    def _store_blobs(
        self, draft: ReleaseDraft, *, checked: Checked, files: Sequence[Path]
    ) -> Manifest:
        if len(files) != len(checked.files):
            raise InvalidField(
                f"{len(checked.files)} files were checked, {len(files)} are to be published",
                reason="FIELD_INVALID",
                hint="Publish exactly the files that were checked.",
            )
        with tempfile.TemporaryDirectory(prefix="livery-publish-") as folder:
            path = Path(folder) / "canonical.safetensors"
            canonical = write_canonical(checked, path)
            manifest = assemble_manifest(draft, checked=checked, canonical=canonical)
            line = self.state.adapters.get(draft.adapter)
            existing = line.by_version.get(draft.version) if line else None
            if existing is not None:
                acts.refuse_other(existing, manifest)
            for source, file in zip(files, checked.files, strict=True):
                self._blobs.put_file(source, digest=file.digest)
            self._blobs.put_file(path, digest=canonical.sha256)
        self._blobs.put_bytes(manifest.to_bytes())
        return manifest

    def _move(
        self, act: acts.Act, *, wish: Wish, adapter: AdapterName, channel: str
    ) -> ChannelMove:
        applied = self._journal.commit(act, wish=wish)
        return describe_move(self.state, applied, adapter=adapter, channel=channel)


def _require_reason(reason: str, *, act: str) -> None:
    if not reason.strip():
        raise InvalidField(
            f"{act} needs a reason",
            reason="FIELD_REQUIRED",
            hint="Say why, for those who read the history later.",
        )
