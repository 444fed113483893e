# SPDX-License-Identifier: Apache-2.0
"""Compares the blobs of a store with what releases need: there, whole, under the right key.

In: a store and a state. Out: findings. Writes nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import suppress

from tabard_registry.content.blobs import Blobs
from tabard_registry.content.evidence import document_in
from tabard_registry.errors import RESTORE_BLOB, CorruptRegistry, NotFound, RegistryError
from tabard_registry.log.slots import slot_key
from tabard_registry.refs.digest import Digest, sha256_bytes
from tabard_registry.release.manifest import MANIFEST_BYTES_MAX, Manifest
from tabard_registry.release.release import Release
from tabard_registry.state.state import State
from tabard_registry.store.store import Store
from tabard_registry.upkeep.fsck.findings import Findings
from tabard_registry.upkeep.inventory import (
    BLOB_PREFIX,
    Needs,
    StoredBlob,
    current_key,
    generation_of,
    stored_blobs,
)
from tabard_registry.workers import Progress, each

_RELEASES_NAMED_MAX = 3
_LOOKED_UP_MAX = 100


class BlobAudit:
    """The blobs of one registry at one position of its log.

    Attributes:
        blobs: How many blobs that releases need are there.
        blob_bytes: Their size.
    """

    def __init__(
        self,
        store: Store,
        state: State,
        *,
        findings: Findings,
        workers: int,
        progress: Progress,
    ) -> None:
        self._store = store
        self._state = state
        self._findings = findings
        blobs = Blobs(store, generation=lambda digest: generation_of(state, digest))
        self._needs = Needs(
            state, read=lambda digest: document_in(blobs, digest), lost=self._say_unread
        )
        self._workers = workers
        self._progress = progress
        self._present: set[bytes] = set()
        self._misfit: set[bytes] = set()
        self._idle_count = 0
        self._idle_bytes = 0
        self.blobs = 0
        self.blob_bytes = 0

    def check(self) -> None:
        """Look at every stored blob, and for every blob that a release needs.

        Raises:
            StoreUnavailable: The store did not answer.
        """
        for number, blob in enumerate(stored_blobs(self._store), start=1):
            self._progress("listing blobs", number, None)
            self._check_stored(blob)
        # A listing may lag behind; only the object itself can say that it is missing.
        missing = (digest for digest in self._needs if _raw(digest) not in self._present)
        sizes = each(lambda digest: (digest, self._size(digest)), missing, workers=self._workers)
        for looked_up, (digest, size_bytes) in enumerate(sizes):
            if size_bytes is None:
                self._say_missing(digest, by_name=looked_up < _LOOKED_UP_MAX)
            else:
                self._count(digest, size_bytes=size_bytes)
        if self._idle_count:
            self._findings.info(
                BLOB_PREFIX,
                f"{self._idle_count} blobs, {self._idle_bytes} bytes, are needed by no release",
                remedy="`tabard gc` lists them, `tabard gc --run` deletes those that are old.",
            )

    def check_content(self) -> None:
        """Hash every blob that a release needs and that is there.

        Raises:
            StoreUnavailable: The store did not answer.
        """
        hashed = each(self._hash, self._present_digests(), workers=self._workers)
        for number, (digest, found) in enumerate(hashed, start=1):
            self._progress("hashing blobs", number, self.blobs)
            if found != digest:
                self._findings.error(
                    self._key(digest),
                    f"its bytes have the digest {found.short}" if found else "it vanished",
                    remedy=RESTORE_BLOB,
                )

    def check_manifests(self) -> None:
        """Compare what the log says of every release with the manifest that its digest names.

        Raises:
            StoreUnavailable: The store did not answer.
        """
        releases = (
            release
            for name in self._state.names()
            for release in self._state.adapters[name].by_digest.values()
            if not release.purged
        )
        read = each(self._read_manifest, releases, workers=self._workers)
        for number, (release, manifest) in enumerate(read, start=1):
            self._progress("reading manifests", number, None)
            if manifest is not None and _essence(release) != _essence_of_manifest(manifest):
                self._findings.error(
                    slot_key(release.seq),
                    f"it says something else of {release} than the manifest {release.digest.short}",
                    remedy="`tabard quarantine` the release: whoever wrote that record did not "
                    "publish it with Tabard.",
                )

    def _check_stored(self, blob: StoredBlob | str) -> None:
        if isinstance(blob, str):
            self._findings.warning(
                blob, "this is not named like a blob", remedy="Move it somewhere else."
            )
            return
        generation = generation_of(self._state, blob.digest)
        is_needed = blob.digest in self._needs
        if is_needed and blob.generation == generation:
            self._count(blob.digest, size_bytes=blob.size_bytes)
        elif not is_needed and str(blob.digest) in self._state.denied:
            self._findings.error(
                blob.key,
                "its bytes were purged, but are still there",
                remedy="`tabard gc --run` deletes it, and so does repeating the purge.",
            )
        elif blob.generation < generation:
            self._findings.warning(
                blob.key,
                f"collection {generation} condemned it, but it is still there",
                remedy="`tabard gc --run` deletes it.",
            )
        elif blob.generation == generation:
            self._idle_count += 1
            self._idle_bytes += blob.size_bytes
        elif blob.generation <= self._state.seq:
            self._findings.warning(
                blob.key,
                f"record {blob.generation} is no collection of these bytes",
                remedy="Move it somewhere else.",
            )

    def _count(self, digest: Digest, *, size_bytes: int) -> None:
        self._present.add(_raw(digest))
        self.blobs += 1
        self.blob_bytes += size_bytes
        wanted = self._needs.size_bytes(digest)
        if size_bytes == 0 or wanted not in (None, size_bytes):
            self._misfit.add(_raw(digest))
            self._findings.error(
                self._key(digest),
                f"it has {size_bytes} bytes"
                + (f", and should have {wanted}" if wanted is not None else ""),
                remedy=RESTORE_BLOB,
            )

    def _say_missing(self, digest: Digest, *, by_name: bool) -> None:
        users = self._users(digest) if by_name else "a release"
        self._findings.error(
            self._key(digest),
            f"it is missing, and {users} needs it",
            remedy=f"{RESTORE_BLOB} Or `tabard purge` the release.",
        )

    def _say_unread(self, digest: Digest, error: RegistryError) -> None:
        # What is missing is found with the other blobs; its bytes are looked at with `deep`.
        if isinstance(error, CorruptRegistry):
            self._findings.failure(self._key(digest), error)

    def _users(self, digest: Digest) -> str:
        users = [
            str(release)
            for name in self._state.adapters.names_with(digest.hex)
            for release in self._state.adapters[name].by_digest.values()
            if digest in release.blobs and not release.purged
        ]
        return ", ".join(sorted(users)[:_RELEASES_NAMED_MAX]) or "evidence or a grid"

    def _present_digests(self) -> Iterator[Digest]:
        # What has another size is told already, and may have no end.
        hashed = self._present - self._misfit
        return (digest for digest in self._needs if _raw(digest) in hashed)

    def _key(self, digest: Digest) -> str:
        return current_key(self._state, digest)

    def _size(self, digest: Digest) -> int | None:
        return self._store.size_bytes(self._key(digest))

    def _hash(self, digest: Digest) -> tuple[Digest, Digest | None]:
        hasher = hashlib.sha256()
        try:
            for chunk in self._store.stream(self._key(digest)):
                hasher.update(chunk)
        except NotFound:
            return digest, None
        return digest, Digest(hasher.hexdigest())

    def _read_manifest(self, release: Release) -> tuple[Release, Manifest | None]:
        # What is missing or damaged was found already.
        with suppress(CorruptRegistry):
            content = self._store.read(self._key(release.digest), bytes_max=MANIFEST_BYTES_MAX)
            if content is not None and sha256_bytes(content) == release.digest:
                return release, Manifest.from_bytes(content)
        return release, None


def _essence(release: Release) -> tuple[object, ...]:
    """Give what decides about images and must not differ; the rest of a summary is for lists."""
    return (
        release.adapter,
        release.version,
        release.kind,
        release.base_fingerprint,
        release.original,
        release.canonical,
        release.members,
    )


def _essence_of_manifest(manifest: Manifest) -> tuple[object, ...]:
    return (
        manifest.adapter,
        manifest.version,
        manifest.kind,
        manifest.base_fingerprint,
        tuple(blob.sha256 for blob in manifest.original),
        manifest.canonical.sha256 if manifest.canonical else None,
        manifest.members,
    )


def _raw(digest: Digest) -> bytes:
    return bytes.fromhex(digest.hex)
