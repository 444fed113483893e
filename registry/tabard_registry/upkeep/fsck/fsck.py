# SPDX-License-Identifier: Apache-2.0
"""Examines a registry: the chain of its log, its checkpoints, its state, its blobs, its index.

In: a registry, or an address where one should be, however damaged. Out: a report that names every
object that is wrong, and the remedy. Writes nothing.
"""

from __future__ import annotations

import hashlib
import json
import re
from contextlib import suppress

from tabard_registry.checkpoint import Checkpoints
from tabard_registry.checkpoint.codec import lines_of
from tabard_registry.checkpoint.files import HINT_KEY
from tabard_registry.checkpoint.header import header_of
from tabard_registry.errors import CorruptRegistry, NotFound, RegistryError, UnusableRegistry
from tabard_registry.index.queries import history_of
from tabard_registry.log.chain import links
from tabard_registry.log.records import Record
from tabard_registry.log.slots import slot_key
from tabard_registry.place import Place, open_place, open_store, refuse_strangers
from tabard_registry.refs.digest import Digest
from tabard_registry.registry import Registry
from tabard_registry.release.manifest import canonical_json
from tabard_registry.state.fold import empty_state, fold
from tabard_registry.state.state import State
from tabard_registry.store.store import FORMAT_KEY, Store
from tabard_registry.upkeep.fsck.blob_audit import BlobAudit
from tabard_registry.upkeep.fsck.findings import Findings, FsckResult
from tabard_registry.workers import WORKERS_MAX, Progress, no_progress

_SLOT = re.compile(r"log/([0-9]{20})\.json")
_CHECKPOINT_SEQ = slice(len("checkpoint/"), len("checkpoint/") + 20)
_HINT_BYTES_MAX = 4096
_PIECE_RECORDS = 10_000
_LOG_PREFIX = "log/"
_LOST = "Before anybody writes, `tabard restore BACKUP URL` brings back what was lost."


def check_registry(
    registry: Registry | Store | str,
    *,
    deep: bool,
    workers: int = WORKERS_MAX,
    progress: Progress = no_progress,
) -> FsckResult:
    """Examine a registry. Reads its whole log, and with `deep` all its bytes.

    Others may write meanwhile: what they add after the log was read is not looked at.

    Args:
        registry: An open registry, or where one should be.
        deep: Whether to hash every blob and compare every manifest; else only presence and size
            are looked at.
        workers: How many objects are looked at at once.
        progress: Is told how far it is.

    Raises:
        UnusableRegistry: There is no registry, or one that this Tabard cannot read.
        StoreUnavailable: The store did not answer; nothing can be said.
    """
    findings = Findings()
    store = _store_of(registry)
    try:
        place = open_place(store, new_id=_no_id, create=False)
    except CorruptRegistry as error:
        findings.failure(FORMAT_KEY, error)
        return _report(findings, store=store, deep=deep)
    opened, failure = (registry, None) if isinstance(registry, Registry) else _open(store)
    examination = _Examination(place, opened, findings=findings, progress=progress)
    state = examination.check_log()
    if failure is not None and findings.errors == 0:
        # As a rule the log says more exactly why the registry cannot be opened.
        findings.failure(store.url, failure)
    examination.check_surroundings(state)
    # A checkpoint may lead beyond where the log is broken: what it knows of blobs is newer.
    newest = opened.state if opened and opened.state.seq > state.seq else state
    audit = BlobAudit(store, newest, findings=findings, workers=workers, progress=progress)
    audit.check()
    if deep:
        audit.check_content()
        audit.check_manifests()
    if opened is not None:
        examination.check_index(opened)
        if opened is not registry:
            opened.close()
    return _report(
        findings, store=store, deep=deep, state=state, examination=examination, audit=audit
    )


def content_digest(state: State) -> Digest:
    """Hash what a checkpoint of a state says; equal states have equal hashes, however they arose.

    It is the hash in the name of that checkpoint.
    """
    hasher = hashlib.sha256()
    for document in header_of(state):
        hasher.update(canonical_json(document) + b"\n")
    for name in state.names():
        for line in lines_of(state.adapters[name]):
            hasher.update(line + b"\n")
    return Digest(hasher.hexdigest())


class _Examination:
    def __init__(
        self, place: Place, opened: Registry | None, *, findings: Findings, progress: Progress
    ) -> None:
        self._place = place
        self._store = place.store
        self._findings = findings
        self._progress = progress
        # Later the state of an open registry moves on; this is the one that is compared.
        self._live = opened.state if opened else None
        self._checkpoints = Checkpoints(place.store, registry_id=place.registry_id)
        self._keys = self._checkpoints.keys()
        self._unchecked: dict[int, list[str]] = {}
        self.records = 0
        self.checkpoints = 0

    def check_log(self) -> State:
        """Read and fold every record; compare checkpoints and the open state on the way."""
        self._read_checkpoints()
        state = empty_state(registry_id=self._place.registry_id, genesis=self._place.genesis)
        pending: list[tuple[Record, Digest]] = []
        is_whole = True
        for link in links(self._store, genesis=self._place.genesis):
            self.records = link.seq
            self._progress("reading the log", link.seq, None)
            if link.problem is not None:
                self._findings.failure(link.key, link.problem)
            is_whole = is_whole and link.problem is None
            if not is_whole or link.record is None:
                continue
            pending.append((link.record, link.digest))
            if len(pending) >= _PIECE_RECORDS or self._is_goal(link.seq):
                state = fold(state, pending)[0]
                pending.clear()
                self._compare(state)
        state = fold(state, pending)[0]
        self._check_end(state)
        self._check_tail()
        return state

    def check_surroundings(self, state: State) -> None:
        """Look at what lies beside the log: strangers, the hint, collections left open."""
        try:
            refuse_strangers(self._store.top_level(), url=self._store.url)
        except UnusableRegistry as error:
            self._findings.warning(
                self._store.url, str(error), remedy="Move what is not Tabard's somewhere else."
            )
        self._check_hint()
        for seq in sorted(state.gc_open):
            self._findings.warning(
                slot_key(seq),
                "this collection began and has not said that it is done",
                remedy="If none is running, `tabard gc --run` finishes it.",
            )

    def check_index(self, registry: Registry) -> None:
        """Compare what the derived index tells with the state that it is derived from."""
        self._progress("comparing the index", 0, None)
        told = set(registry.queries.history())
        state = registry.state
        known = {e for name in state.names() for e in history_of(state.adapters[name])}
        if state is not registry.state:
            return  # it moved on between the two looks; both are right, and not comparable
        lacking, invented = known - told, told - known - set(state.strays)
        if lacking or invented:
            self._findings.error(
                "index",
                f"the derived index lacks {len(lacking)} acts and has {len(invented)} others",
                remedy="Delete the cache folder: the index is made again from the log.",
            )

    def _read_checkpoints(self) -> None:
        for key in self._keys:
            self._progress("reading checkpoints", self.checkpoints, None)
            try:
                self._checkpoints.read(key)
            except CorruptRegistry as error:
                self._findings.failure(key, error)
                continue
            except NotFound:
                continue  # pruned meanwhile
            self.checkpoints += 1
            self._unchecked.setdefault(int(key[_CHECKPOINT_SEQ]), []).append(key)

    def _is_goal(self, seq: int) -> bool:
        return seq in self._unchecked or (self._live is not None and self._live.seq == seq)

    def _compare(self, state: State) -> None:
        is_live = self._live is not None and self._live.seq == state.seq
        keys = self._unchecked.pop(state.seq, [])
        if not keys and not is_live:
            return
        digest = content_digest(state)
        for key in keys:
            if f"-{digest.hex}." not in key:
                self._findings.error(
                    key,
                    f"it says something else than the log up to record {state.seq}",
                    remedy=f"Delete {key} and run `tabard checkpoint`; restart servers.",
                )
        if is_live and self._live is not None and content_digest(self._live) != digest:
            self._findings.error(
                "state",
                f"what is in memory at record {state.seq} is not what the log says",
                remedy="Delete the checkpoints named here, then open the registry again.",
            )

    def _check_end(self, state: State) -> None:
        if self._live is not None and self._live.seq == state.seq == 0:
            self._compare(state)
        if state.seq < self.records:
            self._findings.warning(
                slot_key(state.seq + 1),
                f"the log is broken here: of {self.records} records, what follows {state.seq} "
                "could not be folded, so nothing that depends on it was compared",
                remedy="Restore what is broken, then examine the registry again.",
            )
            return
        beyond = [key for keys in self._unchecked.values() for key in keys]
        for key in beyond:
            self._findings.error(
                key,
                f"it is of a later position than the log, which ends at record {state.seq}",
                remedy=_LOST,
            )
        if self._live is not None and self._live.seq > state.seq and not beyond:
            self._findings.error(
                slot_key(self._live.seq),
                f"record {self._live.seq} was read before, and now the log ends at {state.seq}",
                remedy=_LOST,
            )

    def _check_tail(self) -> None:
        beyond: list[int] = []
        for found in self._store.objects(_LOG_PREFIX):
            named = _SLOT.fullmatch(found.key)
            if named is None:
                self._findings.warning(
                    found.key, "this is not a slot of the log", remedy="Move it somewhere else."
                )
            elif int(named[1]) > self.records:
                beyond.append(int(named[1]))
        first = slot_key(self.records + 1)
        # Those who write meanwhile fill the next slot; a hole stays empty.
        if beyond and self._store.size_bytes(first) is None:
            self._findings.error(
                first,
                f"this slot is empty, but there are {len(beyond)} records after it, "
                f"the first in {slot_key(min(beyond))}",
                remedy=_LOST,
            )

    def _check_hint(self) -> None:
        named = None
        with suppress(RegistryError, ValueError, AttributeError, RecursionError):
            content = self._store.read(HINT_KEY, bytes_max=_HINT_BYTES_MAX)
            if content is None:
                return
            named = json.loads(content).get("checkpoint")
        if not isinstance(named, str) or named not in self._keys:
            self._findings.warning(
                HINT_KEY,
                "it does not name a checkpoint, so opening has to list them",
                remedy="`tabard checkpoint` writes it again once there is something new.",
            )


def _store_of(registry: Registry | Store | str) -> Store:
    if isinstance(registry, Registry):
        return registry.store
    return open_store(registry) if isinstance(registry, str) else registry


def _open(store: Store) -> tuple[Registry | None, CorruptRegistry | None]:
    try:
        return Registry.open(store, create=False), None
    except CorruptRegistry as error:
        return None, error


def _no_id() -> str:
    raise AssertionError("an examination makes no registry")


def _report(
    findings: Findings,
    *,
    store: Store,
    deep: bool,
    state: State | None = None,
    examination: _Examination | None = None,
    audit: BlobAudit | None = None,
) -> FsckResult:
    return FsckResult(
        url=store.url,
        registry_id=state.registry_id if state else "",
        seq=state.seq if state else 0,
        records=examination.records if examination else 0,
        checkpoints=examination.checkpoints if examination else 0,
        blobs=audit.blobs if audit else 0,
        blob_bytes=audit.blob_bytes if audit else 0,
        deep=deep,
        findings=findings.sorted(),
        omitted=findings.omitted,
        errors=findings.errors,
    )
