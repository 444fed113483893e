# SPDX-License-Identifier: Apache-2.0
"""The registry's verbs that find something out: search, manifest, dependents."""

from __future__ import annotations

import hashlib

from tabard.calls.call import Call, Caller, Pages, pages_of
from tabard.convert import read_release, same_fields
from tabard.errors import Internal
from tabard.releases.findings import Dependents, Manifest, SearchHit
from tabard.v1 import registry_service_pb2 as pb


def search(
    caller: Caller, words: str, *, limit: int = 0
) -> Pages[SearchHit, tuple[SearchHit, ...]]:
    """Find adapters that have all the words, best first.

    Looks at names, notes, trigger words, base and kind. `limit` 0 is the server's default.
    """
    del caller
    request = pb.SearchRequest(words=words)
    return pages_of(request, "hits", lambda hit: same_fields(SearchHit, hit), limit=limit)


def manifest(caller: Caller, ref: str) -> Call[Manifest]:
    """Give the bytes that a release's digest is the sha256 of: what a signer vouches for.

    Raises:
        NotFound: No such release.
        FailedPrecondition: Its bytes were purged.
        Internal: The bytes do not have that digest (MANIFEST_DAMAGED).
    """
    del caller
    return Call(
        request=pb.GetManifestRequest(ref=ref),
        read=read_manifest,
    )


def dependents(caller: Caller, ref: str) -> Call[Dependents]:
    """Say what a withdrawal of a release would concern: channels, recipes, jobs of this server.

    Raises:
        NotFound: No such release.
    """
    del caller
    return Call(request=pb.GetDependentsRequest(ref=ref), read=read_dependents)


def read_manifest(message: pb.GetManifestResponse) -> Manifest:
    """Give the value of a manifest.

    Raises:
        Internal: The content does not have the release's digest.
    """
    release = read_release(message.release)
    found = f"sha256:{hashlib.sha256(message.manifest).hexdigest()}"
    if found != release.digest:
        raise Internal(
            f"the manifest of {release.adapter} {release.version} has digest {found}, "
            f"not {release.digest}",
            reason="MANIFEST_DAMAGED",
            hint="do not sign it; ask another server, and look into this one",
        )
    return Manifest(release=release, content=message.manifest)


def read_dependents(message: pb.GetDependentsResponse) -> Dependents:
    """Give the value of what depends on a release."""
    return same_fields(Dependents, message, release=read_release(message.release))
