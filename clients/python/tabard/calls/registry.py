# SPDX-License-Identifier: Apache-2.0
"""The registry's verbs that only look: get, list, resolve, search, history, watch, ….

Those that act are in `acts`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

from google.protobuf.message import Message

from tabard.calls.call import Call, Caller, Pages
from tabard.comparison import Diff
from tabard.convert import (
    read_adapter,
    read_dependents,
    read_diff,
    read_manifest,
    read_record,
    read_release,
    read_serving,
    same_fields,
    timestamp_of,
)
from tabard.history import History, Record, ServedAt, Serving
from tabard.releases import Adapter, Dependents, Manifest, Release, SearchHit
from tabard.v1 import registry_service_pb2 as pb

E = TypeVar("E")

_PAGE_SIZE_MAX = (1 << 31) - 1
"""What a page size can be; a server has a bound of its own."""


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
    """Give all adapters by name, each with its newest releases."""
    del caller
    return _pages(pb.ListAdaptersRequest(), "adapters", read_adapter)


def releases(caller: Caller, name: str) -> Pages[Release, tuple[Release, ...]]:
    """Give all releases of an adapter (`namespace/name`), by descending SemVer.

    Raises:
        NotFound: No such adapter; the hint names near ones.
    """
    del caller
    return _pages(pb.ListReleasesRequest(adapter=name), "releases", read_release)


def resolve(caller: Caller, ref: str, *, include_withdrawn: bool = False) -> Call[Release]:
    """Give the release that a ref means right now.

    `include_withdrawn` also gives what nobody is served with, to look at it.

    Raises:
        NotFound: No such adapter, release or channel.
        FailedPrecondition: The release is quarantined or purged, or a channel points to a yanked
            one.
    """
    del caller
    return Call(
        request=pb.ResolveRequest(ref=ref, include_withdrawn=include_withdrawn),
        read=lambda response: read_release(response.release),
    )


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


def search(
    caller: Caller, words: str, *, limit: int = 0
) -> Pages[SearchHit, tuple[SearchHit, ...]]:
    """Find adapters that have all the words, best first.

    Looks at names, notes, trigger words, base and kind. `limit` 0 is the server's default.
    """
    del caller
    request = pb.SearchRequest(words=words)
    return _pages(request, "hits", lambda hit: same_fields(SearchHit, hit), limit=limit)


def history(
    caller: Caller,
    name: str = "",
    *,
    channel: str = "",
    since: datetime | str = "",
    until: datetime | str = "",
    limit: int = 0,
) -> Pages[Record, History]:
    """Give what happened, oldest first: to one adapter or to all, on one channel or at all.

    Times are aware datetimes or RFC 3339 texts. `limit` keeps the newest so many records; 0 is
    the server's default.

    Raises:
        NotFound: No such adapter.
        InvalidArgument: A time has no offset from UTC.
    """
    del caller
    request = pb.HistoryRequest(
        adapter=name, channel=channel, since=timestamp_of(since), until=timestamp_of(until)
    )
    found = _pages(request, "records", read_record, limit=limit)
    return Pages(
        ask=found.ask, limit=limit, gather=lambda records, _is_more: History(records[::-1])
    )


def served_at(
    caller: Caller, time: datetime | str, *, name: str = "", channel: str = "", limit: int = 0
) -> Pages[Serving, ServedAt]:
    """Give what channels pointed to at some time, and who had moved them there, when and why.

    Raises:
        NotFound: No such adapter.
        InvalidArgument: The time has no offset from UTC.
    """
    del caller
    request = pb.ServedAtRequest(time=timestamp_of(time), adapter=name, channel=channel)
    found = _pages(request, "servings", read_serving, limit=limit)
    return Pages(
        ask=found.ask,
        limit=limit,
        gather=lambda servings, is_more: ServedAt(servings=servings, is_truncated=is_more),
    )


def watch_from(caller: Caller, seq: int) -> Call[Record]:
    """Give records as they happen, from a log position on."""
    del caller
    return Call(
        request=pb.WatchRequest(from_seq=seq),
        read=lambda response: read_record(response.record),
    )


def _pages(
    request: Message, field: str, read: Callable[[Any], E], *, limit: int | None = None
) -> Pages[E, tuple[E, ...]]:
    """Give the pages of a request, whose answers have what is asked for in a field."""

    def ask(size: int, token: str) -> Call[tuple[tuple[E, ...], str]]:
        page: Any = type(request)()
        page.CopyFrom(request)
        page.page_size, page.page_token = min(size, _PAGE_SIZE_MAX), token
        return Call(
            request=page,
            read=lambda answer: (tuple(map(read, getattr(answer, field))), answer.next_page_token),
        )

    return Pages(ask=ask, limit=limit, gather=lambda found, _is_more: found)
