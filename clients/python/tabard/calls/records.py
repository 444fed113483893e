# SPDX-License-Identifier: Apache-2.0
"""The registry's verbs that tell what happened: history, served_at, watch."""

from __future__ import annotations

from datetime import datetime

from tabard.calls.call import Call, Caller, Pages, out_of_range, pages_of
from tabard.convert import read_release, same_fields, timestamp_of
from tabard.history import Action, History, Record, ServedAt, Serving
from tabard.v1 import adapter_pb2
from tabard.v1 import registry_service_pb2 as pb


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
        NotFound: No such adapter, or no such channel of it.
        InvalidArgument: A time has no offset from UTC.
    """
    del caller
    request = pb.HistoryRequest(
        adapter=name, channel=channel, since=timestamp_of(since), until=timestamp_of(until)
    )
    found = pages_of(request, "records", read_record, limit=limit)
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
    found = pages_of(request, "servings", read_serving, limit=limit)
    return Pages(
        ask=found.ask,
        limit=limit,
        gather=lambda servings, is_more: ServedAt(servings=servings, is_truncated=is_more),
    )


def watch_from(caller: Caller, seq: int) -> Call[Record]:
    """Give records as they happen, from a log position on."""
    del caller
    try:
        request = pb.WatchRequest(from_seq=seq)
    except ValueError as error:
        field = pb.WatchRequest.DESCRIPTOR.fields_by_name["from_seq"]
        raise out_of_range("from_seq", seq, field=field) from error
    return Call(
        request=request,
        read=lambda response: read_record(response.record),
    )


def read_record(message: adapter_pb2.Record) -> Record:
    """Give the value of a log record message."""
    actions = tuple(same_fields(Action, action) for action in message.actions)
    return same_fields(Record, message, actions=actions)


def read_serving(message: pb.Serving) -> Serving:
    """Give the value of what a channel pointed to."""
    release, since = read_release(message.release), read_record(message.since)
    return same_fields(Serving, message, release=release, since=since)
