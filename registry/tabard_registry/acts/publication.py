# SPDX-License-Identifier: Apache-2.0
"""Publishing: a manifest becomes a release, once."""

from __future__ import annotations

from tabard_registry.acts.act import Act, Landed, Plan
from tabard_registry.errors import AlreadyExists, NotFound, PreconditionFailed
from tabard_registry.log.records import Action
from tabard_registry.refs.digest import Digest
from tabard_registry.release.manifest import Manifest
from tabard_registry.release.release import Published, Release, summarise
from tabard_registry.release.sampling import BY_AUTHOR
from tabard_registry.release.words import WORDS, Words
from tabard_registry.state.state import State, refuse_withdrawn


def publish(manifest: Manifest, *, said: Words | None = None, gc_seq: int = 0) -> Act[Published]:
    """Plan to publish a manifest; publishing the same again changes nothing.

    Args:
        manifest: The release.
        said: The author's own words, to tell which of them an existing release does not have.
        gc_seq: The newest collection that was known before its bytes were stored. If another one
            began since, it may delete what was thought to be there: BYTES_COLLECTED.
    """
    name, version = str(manifest.adapter), str(manifest.version)
    action = Action(
        type="publish",
        adapter=name,
        digest=str(manifest.digest),
        version=version,
        summary=summarise(manifest),
    )

    def plan(state: State) -> Plan:
        line = state.adapters.get(manifest.adapter)
        existing = line.by_version.get(manifest.version) if line else None
        if existing is not None:
            refuse_other(existing, manifest)
            return Plan(action=None)
        refuse_purged(state, manifest)
        _refuse_members(state, manifest)
        if state.gc_seq != gc_seq:
            raise PreconditionFailed(
                "a collection began while the bytes were stored",
                reason="BYTES_COLLECTED",
                hint="Publish again: what is missing is stored anew.",
            )
        return Plan(action=action)

    def is_same(found: Action) -> bool:
        return (found.type, found.adapter, found.version) == ("publish", name, version)

    def answer(state: State, landed: Landed | None) -> Published:
        release = state.adapters[manifest.adapter].by_version[manifest.version]
        return Published(
            release=release,
            created=landed is not None,
            seq=release.seq,
            untaken=_untaken(release, said or Words()),
        )

    return Act(plan=plan, is_same=is_same, answer=answer)


def refuse_other(existing: Release, manifest: Manifest) -> None:
    """Refuse a manifest that is another release under an existing version.

    Equal are releases that draw equal pictures from equal files. Words of the author may differ,
    and what the intake derives from the files may between two versions of Tabard.

    Raises:
        AlreadyExists: Something differs; the message says what.
    """
    if existing.digest == manifest.digest:
        return
    says_sampling = BY_AUTHOR in manifest.sampling.sources
    differing = [
        what
        for what, before, now in (
            ("files", existing.original, tuple(blob.sha256 for blob in manifest.original)),
            ("kind", existing.kind, manifest.kind),
            ("placeholder tokens", existing.tokens, manifest.tokens),
            ("members", existing.members, manifest.members),
            ("parent", existing.parent, manifest.parent),
            # That of the files is derived, and an author who repeats without a word says nothing.
            *((("sampling", existing.sampling, manifest.sampling),) if says_sampling else ()),
        )
        if before != now
    ]
    if differing:
        raise AlreadyExists(
            f"{existing} exists with other {', '.join(differing)} ({existing.digest.short})",
            reason="VERSION_EXISTS",
            hint="Releases never change: publish under a new version.",
        )


def refuse_purged(state: State, manifest: Manifest) -> None:
    """Refuse bytes that were purged.

    Raises:
        PreconditionFailed: Some of the bytes are deny-listed.
    """
    canonical = (manifest.canonical,) if manifest.canonical else ()
    for digest in (manifest.digest, *(blob.sha256 for blob in (*manifest.original, *canonical))):
        if str(digest) in state.denied:
            raise PreconditionFailed(
                f"{digest.short} was purged from this registry{_purged_with(state, digest)}",
                reason="BYTES_PURGED",
                hint="Purged bytes never come back; publish other ones.",
            )


def _purged_with(state: State, digest: Digest) -> str:
    """Say with which release some bytes were purged, and why."""
    for name in state.adapters.names_with(digest.hex):
        for release in state.adapters[name].by_digest.values():
            if release.purged and digest in (release.digest, *release.blobs):
                return f" with {release}: {release.purge_reason}"
    return ""


def _refuse_members(state: State, manifest: Manifest) -> None:
    for member in manifest.members:
        release = state.release_of(member)
        if release is None or release.version != member.version:
            raise NotFound(
                f"no release {member.adapter}@{member.version} with {member.digest.short}",
                reason="RELEASE_NOT_FOUND",
                hint="A recipe is locked to releases of the same registry.",
            )
        refuse_withdrawn(release)


def _untaken(release: Release, said: Words) -> tuple[str, ...]:
    """Name the words that were said and are other ones in the release."""
    return tuple(
        name for name in WORDS if (one := getattr(said, name)) and one != getattr(release, name)
    )
