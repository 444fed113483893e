# SPDX-License-Identifier: Apache-2.0
"""The registry's verbs that look at what there is: get, list, releases, resolve.

Those that look closer are in `findings` and `records`; those that act in `acts`.
"""

from __future__ import annotations

from tabard.calls.call import Call, Caller, Pages, pages_of
from tabard.convert import read_adapter, read_release
from tabard.releases.release import Adapter, Release
from tabard.v1 import registry_service_pb2 as pb


def get(caller: Caller, name: str) -> Call[Adapter]:
    """Give one adapter (`namespace/name`) with its newest releases and its channels.

    Raises:
        NotFound: No such adapter; the hint names near ones.
    """
    del caller
    return Call(
        request=pb.GetAdapterRequest(adapter=name),
        read=lambda response: read_adapter(response.adapter),
    )


def adapters(caller: Caller) -> Pages[Adapter, tuple[Adapter, ...]]:
    """Give all adapters by name, each with its newest releases and those of its channels."""
    del caller
    return pages_of(pb.ListAdaptersRequest(), "adapters", read_adapter)


def is_enough(adapter: Adapter, *, all_releases: bool) -> bool:
    """Say whether a line came with all of its releases, or with all that its channels point to."""
    wanted = {one.digest for one in adapter.channels} - {one.digest for one in adapter.releases}
    return len(adapter.releases) >= adapter.release_count or not (all_releases or wanted)


def releases(caller: Caller, name: str) -> Pages[Release, tuple[Release, ...]]:
    """Give all releases of an adapter (`namespace/name`), by descending SemVer.

    Raises:
        NotFound: No such adapter; the hint names near ones.
    """
    del caller
    return pages_of(pb.ListReleasesRequest(adapter=name), "releases", read_release)


def resolve(caller: Caller, ref: str, *, include_withdrawn: bool = False) -> Call[Release]:
    """Give the release that a ref means right now.

    `include_withdrawn` also gives what nobody is served with, to look at it.

    Raises:
        NotFound: No such adapter, release or channel.
        FailedPrecondition: The release is quarantined or purged, or a channel points to a yanked
            one.
    """

    def read(response: pb.ResolveResponse) -> Release:
        release = read_release(response.release)
        # From now on images with this ref are asked for where they can be drawn.
        caller.bases.note([ref], release.base_fingerprint)
        return release

    request = pb.ResolveRequest(ref=ref, include_withdrawn=include_withdrawn)
    return Call(request=request, read=read)
