# SPDX-License-Identifier: Apache-2.0
"""The registry: publish, promote, roll back, withdraw and resolve, over one log and its blobs.

Everything comes in as parsed values and goes out as frozen ones. Reads are answered from an
immutable snapshot; writes go through the journal. Knows nothing of gRPC, torch or devices.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path

from tabard_registry import acts
from tabard_registry.acts import Act
from tabard_registry.content.manifest_cache import Manifests
from tabard_registry.content.storing import store_release
from tabard_registry.errors import CorruptRegistry, IntakeRefused, InvalidField, PreconditionFailed
from tabard_registry.intake.layers.checked import Checked
from tabard_registry.journal.group_commit import Landed, Wish
from tabard_registry.journal.moves import describe_move
from tabard_registry.log.records import AppliedRecord
from tabard_registry.log.slots import LogLimits
from tabard_registry.opening import Parts, open_parts, random_id, utc_now
from tabard_registry.refs.digest import Digest
from tabard_registry.refs.names import AdapterName, AdapterRef
from tabard_registry.refs.semver import Version
from tabard_registry.release.manifest import BlobRef, Manifest
from tabard_registry.release.release import (
    Absent,
    Adapter,
    ChannelMove,
    Published,
    Release,
    ReleaseDraft,
)
from tabard_registry.state.recipes import assemble_recipe
from tabard_registry.state.state import State
from tabard_registry.store import Store

_STORE_ATTEMPTS_MAX = 5


class Registry:
    """One registry, opened. Thread-safe; several processes may have the same one open."""

    def __init__(self, parts: Parts) -> None:
        """Take what `open_parts` built; most callers want `Registry.open`."""
        self._parts = parts
        self._journal = parts.journal
        self._manifests = Manifests(parts.blobs)
        self._lock = threading.Lock()
        self._refreshed_seq = parts.journal.state.seq
        self.blobs = parts.blobs
        self.checkpoints = parts.checkpoints
        self.chronicle = parts.chronicle

    @classmethod
    def open(
        cls,
        url: str | Store,
        *,
        cache: Path | None = None,
        clock: Callable[[], datetime] = utc_now,
        new_id: Callable[[], str] = random_id,
        create: bool = True,
        limits: LogLimits | None = None,
        sleep: Callable[[float], None] = time.sleep,
        rng: random.Random | None = None,
    ) -> Registry:
        """Open a registry, or make one in an empty place, and read its log to the end.

        Args:
            url: `file:///…`, a plain path, `s3://bucket/prefix`, or a store.
            cache: Folder of the derived index for search and history; None: in memory.
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
        return cls(
            open_parts(
                url,
                cache=cache,
                clock=clock,
                new_id=new_id,
                create=create,
                limits=limits or LogLimits(),
                sleep=sleep,
                rng=rng or random.Random(),
            )
        )

    @property
    def id(self) -> str:
        """The registry's id, chosen when it was made."""
        return self._parts.place.registry_id

    @property
    def url(self) -> str:
        """Where it is."""
        return self._parts.place.store.url

    @property
    def store(self) -> Store:
        """Its objects."""
        return self._parts.place.store

    @property
    def damaged_checkpoints(self) -> tuple[CorruptRegistry, ...]:
        """What was wrong with checkpoints that were passed over when the registry was opened."""
        return self._parts.damaged_checkpoints

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

        This process's own acts are among them. For one follower; others use `since`. Any error
        leaves the snapshot as it was.
        """
        self._journal.catch_up()
        with self._lock:
            found = tuple(self._journal.applied(after=self._refreshed_seq))
            self._refreshed_seq += len(found)
        return found

    def since(self, seq: int, *, limit: int | None = None) -> tuple[AppliedRecord, ...]:
        """Return the records of the snapshot after a position, oldest first.

        Old ones are read from the log.
        """
        return self._journal.applied(after=max(0, seq), limit=limit)

    def commit(self, act: Act, *, wish: Wish) -> Landed | None:
        """Make an act happen; None when nothing had to be written. Raises what its plan raises."""
        return self._journal.commit(act, wish=wish)

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
            request_id: Key of the caller: the same key never acts twice.

        Raises:
            IntakeRefused: The check did not accept the files.
            AlreadyExists: The version holds something else.
            CorruptRegistry: A file changed since it was checked.
            StoreUnavailable: The store did not take it; nothing is visible of it.
        """
        if not checked.report.accepted:
            raise IntakeRefused(checked.report)
        wish = Wish(actor=actor, reason=reason, request_id=request_id)

        def store(state: State) -> Manifest:
            return store_release(self.blobs, draft, checked=checked, files=files, state=state)

        return self._publish(store, wish=wish)

    def publish_recipe(
        self,
        draft: ReleaseDraft,
        *,
        members: Sequence[AdapterRef],
        actor: str,
        reason: str = "",
        request_id: str = "",
    ) -> Published:
        """Publish a weighted combination of releases, locked to what they are now.

        Raises:
            InvalidField: The members do not make a recipe.
            NotFound, PreconditionFailed: A member is not there, or may not be served.
            AlreadyExists: The version holds something else.
        """
        wish = Wish(actor=actor, reason=reason, request_id=request_id)

        def store(state: State) -> Manifest:
            manifest = assemble_recipe(draft, members=members, state=state)
            self.blobs.put_bytes(manifest.to_bytes())
            return manifest

        return self._publish(store, wish=wish)

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
            ref: The release: exact, or another channel to copy from.
            channel: The channel.
            actor: Who; not empty.
            reason: Why.
            expect: Where the channel must point now; `Absent()`: it must not exist; None: anywhere.
            request_id: Key of the caller: the same key never acts twice.

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
            request_id: Key of the caller: the same key never acts twice.

        Raises:
            InvalidField: There is no reason.
            NotFound: There is no such adapter, channel or version.
            PreconditionFailed: There is nothing before (NOTHING_TO_ROLL_BACK), `to` was never on
                the channel or is yanked, or somebody else moved the channel (EXPECT_MISMATCH).
        """
        wish = _reasoned("a rollback", actor=actor, reason=reason, request_id=request_id)
        act = acts.roll_back(adapter, channel=channel, to=to, expect=expect)
        return self._move(act, wish=wish, adapter=adapter, channel=channel)

    def yank(self, ref: AdapterRef, *, actor: str, reason: str, request_id: str = "") -> Release:
        """Take a release out of resolution by channel and range; exact pins still work.

        Raises:
            InvalidField: The ref is not exact, or there is no reason.
            NotFound: There is no such release.
        """
        wish = _reasoned("a yank", actor=actor, reason=reason, request_id=request_id)
        self.commit(acts.set_yanked(ref, yanked=True), wish=wish)
        return self.state.find(ref)

    def unyank(self, ref: AdapterRef, *, actor: str, reason: str, request_id: str = "") -> Release:
        """Undo a yank. Raises what `yank` raises."""
        wish = _reasoned("an unyank", actor=actor, reason=reason, request_id=request_id)
        self.commit(acts.set_yanked(ref, yanked=False), wish=wish)
        return self.state.find(ref)

    def quarantine(
        self, ref: AdapterRef, *, actor: str, reason: str, request_id: str = ""
    ) -> Release:
        """Serve nobody with a release until that is lifted. Raises what `yank` raises."""
        wish = _reasoned("a quarantine", actor=actor, reason=reason, request_id=request_id)
        self.commit(acts.set_quarantined(ref, quarantined=True), wish=wish)
        return self.state.find(ref)

    def lift(self, ref: AdapterRef, *, actor: str, reason: str, request_id: str = "") -> Release:
        """Undo a quarantine. Raises what `yank` raises."""
        wish = _reasoned("a lift", actor=actor, reason=reason, request_id=request_id)
        self.commit(acts.set_quarantined(ref, quarantined=False), wish=wish)
        return self.state.find(ref)

    def purge(self, ref: AdapterRef, *, actor: str, reason: str, request_id: str = "") -> Release:
        """Delete the bytes of a release for good and deny-list them; its record stays.

        Repeating it deletes what an interrupted purge left.

        Raises:
            InvalidField, NotFound: As for `yank`.
            PreconditionFailed: Another release needs the same bytes (BYTES_SHARED).
            StoreUnavailable: Nothing can be served with it any more, but bytes may be left.
        """
        wish = _reasoned("a purge", actor=actor, reason=reason, request_id=request_id)
        self.commit(acts.purge(ref), wish=wish)
        for digest in self.state.find(ref).blobs:
            self.blobs.delete(digest)
        return self.state.find(ref)

    def resolve(self, ref: AdapterRef) -> Release:
        """Return what a ref means in the newest snapshot. Raises as `State.resolve`; no I/O."""
        return self.state.resolve(ref)

    def adapter(self, name: AdapterName) -> Adapter:
        """Return one release line. Raises NotFound."""
        return self.state.adapter(name)

    def adapters(self, *, after: str = "", limit: int | None = None) -> tuple[Adapter, ...]:
        """Return release lines beyond a name, in the order of their names' text."""
        state = self.state
        return tuple(state.adapters[name] for name in islice(state.names(after=after), limit))

    def checkpoint(self, *, records_min: int = 1) -> str | None:
        """Keep the newest snapshot if `records_min` records came since the last one kept.

        Returns:
            Its key, or None: there was no need.

        Raises:
            StoreUnavailable: The store did not take it; trying again is safe.
        """
        return self.checkpoints.keep(self.state, records_min=records_min)

    @property
    def records_since_checkpoint(self) -> int:
        """How many records the next one to open has to read from the log."""
        return self.seq - self.checkpoints.newest_seq

    def close(self) -> None:
        """Close the derived index. Idempotent."""
        self.chronicle.close()

    def manifest(self, digest: Digest) -> Manifest:
        """Return a release's manifest, verified; raises NotFound or CorruptRegistry."""
        return self._manifests.get(digest)

    def fetch(self, blob: BlobRef, target: Path) -> None:
        """Copy a blob to a file, verified, whole or not at all. Raises as `manifest`."""
        self.blobs.fetch(blob.sha256, target=target)

    def blob_path(self, digest: Digest) -> Path | None:
        """Return the blob as a local file, unverified; None when the store is elsewhere."""
        return self.blobs.path(digest)

    def _publish(self, store: Callable[[State], Manifest], *, wish: Wish) -> Published:
        for attempt in range(_STORE_ATTEMPTS_MAX):
            state = self.state
            manifest = store(state)
            try:
                landed = self.commit(acts.publish(manifest, gc_seq=state.gc_seq), wish=wish)
                break
            except PreconditionFailed as error:
                # What looked stored may be deleted by a collection: look again, store what lacks.
                if error.reason != "BYTES_COLLECTED" or attempt + 1 == _STORE_ATTEMPTS_MAX:
                    raise
        release = self.state.adapters[manifest.adapter].by_version[manifest.version]
        return Published(release=release, created=landed is not None, seq=release.seq)

    def _move(self, act: Act, *, wish: Wish, adapter: AdapterName, channel: str) -> ChannelMove:
        landed = self.commit(act, wish=wish)
        return describe_move(self.state, landed, adapter=adapter, channel=channel)


def _reasoned(act: str, *, actor: str, reason: str, request_id: str) -> Wish:
    if not reason.strip():
        raise InvalidField(
            f"{act} needs a reason",
            reason="FIELD_REQUIRED",
            hint="Say why, for those who read the history later.",
        )
    return Wish(actor=actor, reason=reason, request_id=request_id)
