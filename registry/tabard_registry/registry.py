# SPDX-License-Identifier: Apache-2.0
"""The registry: publish, promote, roll back, withdraw, vouch, over one log and its blobs.

What is lies in `state`, what was in `queries`, bytes in `blobs`; each verb commits one of `acts`,
which say what it takes and refuses. Knows nothing of gRPC, torch or devices.
"""

from __future__ import annotations

import random
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, TypeVar

from tabard_registry import acts
from tabard_registry.acts import Act, Acted, Amendment, Author, Expectation
from tabard_registry.checkpoint import Checkpoints
from tabard_registry.content.blobs import Blobs
from tabard_registry.content.evidence import EvidenceBook
from tabard_registry.content.storing import commit_stored, store_release
from tabard_registry.errors import IntakeRefused
from tabard_registry.identity.roles import EVERYTHING, Grants
from tabard_registry.identity.tokens import NewToken, Token, new_token
from tabard_registry.index.queries import Queries
from tabard_registry.intake.layers.checked import Checked
from tabard_registry.journal.journal import Journal
from tabard_registry.log.records import AppliedRecord, time_text
from tabard_registry.log.slots import Log, LogLimits
from tabard_registry.place import Place, open_place, open_store
from tabard_registry.refs.digest import Digest
from tabard_registry.refs.names import AdapterName, AdapterRef
from tabard_registry.refs.semver import Version
from tabard_registry.release.keys import Key, Policy
from tabard_registry.release.manifest import MANIFEST_BYTES_MAX, BlobRef, Manifest
from tabard_registry.release.release import ChannelMove, Published, Release, ReleaseDraft
from tabard_registry.release.words import Words
from tabard_registry.scratch import remove_abandoned
from tabard_registry.state.fold import empty_state
from tabard_registry.state.recipes import assemble_recipe
from tabard_registry.state.sight import seen_by
from tabard_registry.state.state import State
from tabard_registry.store.store import Store

MANIFESTS_CACHED_MAX = 256
"""How many manifests are kept in memory."""

_Answer = TypeVar("_Answer")


class Registry:
    """One registry, opened. Thread-safe; several processes may have the same one open.

    Every verb names its author, may find that nothing had to be written, and raises what its act
    says, and StoreUnavailable when the store did not take it: nothing is visible of it then.

    Attributes:
        id: Its id, chosen when it was made.
        url: Where it is.
        store: Its objects.
        blobs: Its bytes.
        checkpoints: Its checkpoints.
        queries: Questions about its past, and search.
        evidence: What was drawn, measured and said of its releases.
    """

    def __init__(
        self, place: Place, *, journal: Journal, checkpoints: Checkpoints, cache: Path | None
    ) -> None:
        """Put its parts together; most callers want `Registry.open`."""
        self._journal = journal
        self._lock = threading.Lock()
        self._refreshed_seq = journal.state.seq
        self.id = place.registry_id
        self.store = place.store
        self.url = self.store.url
        self.blobs = Blobs(
            self.store, generation=lambda digest: journal.state.collected.get(str(digest), 0)
        )
        self._manifest = lru_cache(maxsize=MANIFESTS_CACHED_MAX)(partial(_manifest, self.blobs))
        self.checkpoints = checkpoints
        self.queries = Queries(journal, registry_id=self.id, cache=cache)
        self.evidence = EvidenceBook(self.blobs, state=lambda: journal.state, commit=self.commit)

    @classmethod
    def open(
        cls,
        url: str | Store,
        *,
        cache: Path | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        new_id: Callable[[], str] = lambda: secrets.token_hex(16),
        create: bool = True,
        limits: LogLimits | None = None,
        sleep: Callable[[float], None] = time.sleep,
        rng: random.Random | None = None,
    ) -> Registry:
        """Open a registry, or make one in an empty place, and read its log to the end.

        Temporary folders that killed processes of this user left here are removed.

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
        store = open_store(url) if isinstance(url, str) else url
        place = open_place(store, new_id=new_id, create=create)
        if store.is_swept_when_opened:
            store.sweep()
        remove_abandoned()
        limits = limits or LogLimits()
        checkpoints = Checkpoints(store, registry_id=place.registry_id)
        newest = checkpoints.open_newest()
        journal = Journal(
            newest or empty_state(registry_id=place.registry_id, genesis=place.genesis),
            log=Log(store, limits=limits, sleep=sleep, rng=rng or random.Random()),
            limits=limits,
            clock=clock,
            new_id=new_id,
        )
        return cls(place, journal=journal, checkpoints=checkpoints, cache=cache)

    @property
    def state(self) -> State:
        """The newest snapshot; immutable."""
        return self._journal.state

    @property
    def seq(self) -> int:
        """Log position of the newest snapshot."""
        return self._journal.state.seq

    def catch_up(self) -> State:
        """Read what is new in the log, and return the newest snapshot.

        Who decides by a state before it acts asks here first: the act that it follows may have
        been acknowledged by another process a moment ago. Any error leaves the snapshot as it was.
        """
        self._journal.catch_up()
        return self.state

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

    def commit(self, act: Act[_Answer], *, author: Author) -> _Answer:
        """Make an act happen, and return its answer.

        Raises:
            InvalidField: The act needs a reason, and there is none.
            AlreadyExists: The request id stands for another act.
            StoreUnavailable: The store did not take it, or too many others write.
            RegistryError: Whatever the plan raises.
        """
        landed = self._journal.commit(act, author=author)
        return act.answer(self.state, landed)

    def publish(
        self, draft: ReleaseDraft, *, checked: Checked, files: Sequence[Path], author: Author
    ) -> Published:
        """Publish checked files as a release. Equal files again: the same release.

        Whatever words come with them, those of the release stay; the answer names what was not
        taken.

        Args:
            draft: What the author says.
            checked: The outcome of the check of these files.
            files: The files, as they were checked; they stay where they are.
            author: Who publishes, and why.

        Raises:
            IntakeRefused: The check did not accept the files.
            AlreadyExists: The version holds something else.
            CorruptRegistry: A file changed since it was checked.
        """
        if not checked.report.accepted:
            raise IntakeRefused(checked.report)

        def store(state: State) -> Manifest:
            return store_release(self.blobs, draft, checked=checked, files=files, state=state)

        return self._publish(store, said=Words.of(draft), author=author)

    def publish_recipe(
        self, draft: ReleaseDraft, *, members: Sequence[AdapterRef], author: Author
    ) -> Published:
        """Publish a weighted combination of releases, locked to what they are now.

        What others did is seen first: a member is judged by the newest record, as in every act.

        Raises:
            InvalidField: The members do not make a recipe.
            NotFound, PreconditionFailed: A member is not there, or may not be served.
            AlreadyExists: The version holds something else.
        """

        def store(state: State) -> Manifest:
            seen = seen_by(state, author.grants)
            manifest = assemble_recipe(draft, members=members, state=seen)
            self.blobs.put_bytes(manifest.to_bytes())
            return manifest

        self.catch_up()
        return self._publish(store, said=Words.of(draft), author=author)

    def promote(
        self,
        ref: AdapterRef,
        *,
        channel: str,
        author: Author,
        expect: Expectation | None = None,
        override: str = "",
    ) -> ChannelMove:
        """Move a channel to what a ref means: `acts.promote`."""
        act = acts.promote(ref, channel=channel, expect=expect, override=override)
        return self.commit(act, author=author)

    def roll_back(
        self,
        adapter: AdapterName,
        *,
        channel: str,
        author: Author,
        to: Version | None = None,
        expect: Expectation | None = None,
    ) -> ChannelMove:
        """Return a channel to the release before, or to an earlier one: `acts.roll_back`."""
        act = acts.roll_back(adapter, channel=channel, to=to, expect=expect)
        return self.commit(act, author=author)

    def yank(self, ref: AdapterRef, *, author: Author) -> Acted[Release]:
        """Take a release out of resolution by channel and range; exact pins still work."""
        return self.commit(acts.set_yanked(ref, yanked=True), author=author)

    def unyank(self, ref: AdapterRef, *, author: Author) -> Acted[Release]:
        """Undo a yank."""
        return self.commit(acts.set_yanked(ref, yanked=False), author=author)

    def quarantine(self, ref: AdapterRef, *, author: Author) -> Acted[Release]:
        """Serve nobody with a release until that is lifted."""
        return self.commit(acts.set_quarantined(ref, quarantined=True), author=author)

    def lift(self, ref: AdapterRef, *, author: Author) -> Acted[Release]:
        """Undo a quarantine."""
        return self.commit(acts.set_quarantined(ref, quarantined=False), author=author)

    def purge(self, ref: AdapterRef, *, author: Author) -> Acted[Release]:
        """Delete the bytes of a release for good and deny-list them; its record stays.

        Repeating it deletes what an interrupted purge left.

        Raises:
            StoreUnavailable: Nothing can be served with it any more, but bytes may be left.
        """
        purged = self.commit(acts.purge(ref), author=author)
        for digest in purged.subject.blobs:
            self.blobs.delete(digest)
        self.evidence.delete_pictures(purged.subject)
        return purged

    def edit(self, ref: AdapterRef, *, words: Amendment, author: Author) -> Acted[Release]:
        """Amend the words of a release; its manifest and every picture stay: `acts.edit`."""
        return self.commit(acts.edit(ref, words=words), author=author)

    def trust_key(self, key: Key, *, author: Author) -> Acted[Key]:
        """Let a key sign the releases of its namespace; trusting it again changes its name."""
        return self.commit(acts.trust_key(key), author=author)

    def revoke_key(self, namespace: str, *, key_id: str, author: Author) -> Acted[Key]:
        """Let a key's signatures count no longer, old ones included. For good."""
        return self.commit(acts.revoke_key(namespace, key_id=key_id), author=author)

    def set_policy(self, namespace: str, *, author: Author, **words: Any) -> Acted[Policy]:
        """Change what a namespace asks for; what is not said stays as it is: `acts.set_policy`."""
        return self.commit(acts.set_policy(namespace, **words), author=author)

    def create_token(
        self,
        name: str,
        *,
        grants: Grants,
        author: Author,
        tenant: str = "",
        expires_at: datetime | None = None,
        is_first: bool = False,
    ) -> NewToken:
        """Make a token: `acts.create_token`. Its secret is in the answer, and nowhere else."""
        made = new_token(
            self.id,
            name=name,
            grants=grants,
            created_at=self._journal.now(),
            created_by=author.actor,
            tenant=tenant,
            expires_at=time_text(expires_at) if expires_at else "",
        )
        token = self.commit(acts.create_token(made.token, is_first=is_first), author=author)
        return replace(made, token=token)

    def bootstrap_token(self, name: str, *, author: Author) -> NewToken:
        """Make the first token, which is admin everywhere; a second one is refused."""
        return self.create_token(name, grants=EVERYTHING, author=author, is_first=True)

    def revoke_token(self, token: str, *, author: Author) -> Acted[Token]:
        """Let a token, by its id or its name, count no longer. For good."""
        act = acts.revoke_token(token, reason=author.reason, grants=author.grants)
        return self.commit(act, author=author)

    def tokens(self, *, grants: Grants = EVERYTHING) -> tuple[Token, ...]:
        """Return the tokens that somebody with these grants may give, by name, then by id."""
        found = (one for one in self.state.tokens.values() if acts.may_give(grants, one))
        return tuple(sorted(found, key=lambda one: (one.name, one.id)))

    def sign(
        self, ref: AdapterRef, *, key_id: str, signature: str, author: Author
    ) -> Acted[Release]:
        """Put a signature, base64, beside a release, if it is true."""
        return self.commit(acts.sign(ref, key_id=key_id, signature=signature), author=author)

    def manifest(self, digest: Digest) -> Manifest:
        """Return a release's manifest, verified; raises NotFound or CorruptRegistry."""
        return self._manifest(digest)

    def fetch(self, blob: BlobRef, target: Path) -> None:
        """Copy a blob to a file, verified, whole or not at all. Raises as `manifest`."""
        self.blobs.fetch(blob.sha256, target=target)

    def blob_path(self, digest: Digest) -> Path | None:
        """Return the blob as a local file, unverified; None when the store is elsewhere."""
        return self.blobs.path(digest)

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
        self.queries.close()

    def _publish(
        self, store: Callable[[State], Manifest], *, said: Words | None, author: Author
    ) -> Published:
        def announce(state: State) -> Act[Published]:
            return acts.publish(store(state), said=said, gc_seq=state.gc_seq)

        return commit_stored(announce, state=lambda: self.state, commit=self.commit, author=author)


def _manifest(blobs: Blobs, digest: Digest) -> Manifest:
    return Manifest.from_bytes(blobs.read(digest, bytes_max=MANIFEST_BYTES_MAX))
