# SPDX-License-Identifier: Apache-2.0
"""The registry's verbs that only look: get, list, resolve, search, history, watch, ….

Those that act are in `acts`.
"""

from __future__ import annotations

from datetime import datetime

from tabard.calls.call import Call, Caller
from tabard.convert import (
    read_adapter,
    read_manifest,
    read_record,
    read_release,
    read_served_at,
    same_fields,
)
from tabard.errors import InvalidArgument
from tabard.history import History, Record, ServedAt
from tabard.releases import Adapter, Manifest, Release, SearchHit
from tabard.v1 import registry_service_pb2 as pb


def get(caller: Caller, name: str) -> Call[Adapter]:
    """Give one adapter (`namespace/name`) with its releases and channels.

    Raises:
        NotFound: No such adapter; the hint names near ones.
    """
    del caller
    return Call(
        request=pb.GetAdapterRequest(adapter=name),
        read=lambda response: read_adapter(response.adapter),
    )


def list_page(caller: Caller, token: str) -> Call[tuple[tuple[Adapter, ...], str]]:
    """Give one page of adapters and the token of the next page, empty on the last one."""
    del caller
    return Call(
        request=pb.ListAdaptersRequest(page_token=token),
        read=lambda page: (tuple(read_adapter(one) for one in page.adapters), page.next_page_token),
    )


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
        NotFound: No such release, or its bytes were purged.
        Internal: The bytes do not have that digest (MANIFEST_DAMAGED).
    """
    del caller
    return Call(
        request=pb.GetManifestRequest(ref=ref),
        read=read_manifest,
    )


def search(caller: Caller, words: str, *, limit: int = 0) -> Call[tuple[SearchHit, ...]]:
    """Find adapters that have all the words, best first.

    Looks at names, notes, trigger words, base and kind. `limit` 0 is the server's default.
    """
    del caller
    return Call(
        request=pb.SearchRequest(words=words, limit=limit),
        read=lambda response: tuple(same_fields(SearchHit, hit) for hit in response.hits),
    )


def history(
    caller: Caller,
    name: str = "",
    *,
    channel: str = "",
    since: datetime | str = "",
    until: datetime | str = "",
    limit: int = 0,
) -> Call[History]:
    """Give what happened, oldest first: to one adapter or to all, on one channel or at all.

    Times are aware datetimes or RFC 3339 texts. `limit` keeps the newest so many acts; 0 is the
    server's default.

    Raises:
        NotFound: No such adapter.
        InvalidArgument: A time has no offset from UTC.
    """
    del caller
    return Call(
        request=pb.HistoryRequest(
            adapter=name,
            channel=channel,
            since=_time_text(since),
            until=_time_text(until),
            limit=limit,
        ),
        read=lambda response: History(map(read_record, response.records)),
    )


def served_at(
    caller: Caller, time: datetime | str, *, name: str = "", channel: str = "", limit: int = 0
) -> Call[ServedAt]:
    """Give what channels pointed to at some time, and who had moved them there, when and why.

    Raises:
        NotFound: No such adapter.
        InvalidArgument: The time has no offset from UTC.
    """
    del caller
    return Call(
        request=pb.ServedAtRequest(
            time=_time_text(time), adapter=name, channel=channel, limit=limit
        ),
        read=read_served_at,
    )


def watch_from(caller: Caller, seq: int) -> Call[Record]:
    """Give records as they happen, from a log position on."""
    del caller
    return Call(
        request=pb.WatchRequest(from_seq=seq),
        read=lambda response: read_record(response.record),
    )


def _time_text(time: datetime | str) -> str:
    if isinstance(time, str):
        return time
    if time.tzinfo is None:
        raise InvalidArgument(
            f"{time} has no offset from UTC",
            reason="TIME_INVALID",
            hint="give an aware datetime, like datetime.now(UTC)",
        )
    return time.isoformat()
