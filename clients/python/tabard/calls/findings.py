# SPDX-License-Identifier: Apache-2.0
"""The registry's verbs that find something out: search, manifest, diff, dependents."""

from __future__ import annotations

import hashlib

from tabard.calls.call import Call, Caller, Pages, pages_of
from tabard.convert import read_release, same_fields
from tabard.errors import Internal
from tabard.releases.comparison import Diff, FieldDiff, LayerDiff, LayerSide
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


def diff(caller: Caller, ref: str, other_ref: str) -> Call[Diff]:
    """Compare two releases: layers, ranks, how long their changes are, and what they say.

    Raises:
        NotFound: No such release.
        FailedPrecondition: One was purged.
    """
    del caller
    return Call(request=pb.DiffRequest(ref=ref, other_ref=other_ref), read=read_diff)


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


def read_diff(message: pb.DiffResponse) -> Diff:
    """Give the value of two releases side by side."""
    return Diff(
        release=read_release(message.release),
        other_release=read_release(message.other_release),
        layers=tuple(map(_read_layer, message.layers)),
        fields=tuple(same_fields(FieldDiff, one) for one in message.fields),
    )


def read_dependents(message: pb.GetDependentsResponse) -> Dependents:
    """Give the value of what depends on a release."""
    return same_fields(Dependents, message, release=read_release(message.release))


def _read_layer(message: pb.LayerDiff) -> LayerDiff:
    sides = {name: _read_side(message, name) for name in ("left", "right")}
    distance = message.distance if message.HasField("distance") else None
    return same_fields(LayerDiff, message, distance=distance, **sides)


def _read_side(message: pb.LayerDiff, name: str) -> LayerSide | None:
    if not message.HasField(name):
        return None
    side = getattr(message, name)
    return same_fields(LayerSide, side, norm=side.norm if side.HasField("norm") else None)
