# SPDX-License-Identifier: Apache-2.0
"""The registry's verbs: looking (get … watch) and acting (promote, rollback, yank, unyank)."""

from __future__ import annotations

from livery.calls.call import Call, Caller
from livery.convert import read_adapter, read_move, read_record, read_release
from livery.releases import Adapter, ChannelMove, Record, Release
from livery.v1 import registry_service_pb2 as pb

DEFAULT_CHANNEL = "stable"

_SERVICE = "/livery.v1.RegistryService"


def get(caller: Caller, name: str) -> Call[Adapter]:
    """Give one adapter (`namespace/name`) with its releases and channels.

    Raises:
        NotFound: No such adapter; the hint names near ones.
    """
    del caller
    return Call(
        method=f"{_SERVICE}/GetAdapter",
        request=pb.GetAdapterRequest(adapter=name),
        response=pb.GetAdapterResponse,
        read=lambda response: read_adapter(response.adapter),
    )


def list_page(caller: Caller, token: str) -> Call[tuple[tuple[Adapter, ...], str]]:
    """Give one page of adapters and the token of the next page, empty on the last one."""
    del caller
    return Call(
        method=f"{_SERVICE}/ListAdapters",
        request=pb.ListAdaptersRequest(page_token=token),
        response=pb.ListAdaptersResponse,
        read=lambda page: (tuple(read_adapter(one) for one in page.adapters), page.next_page_token),
    )


def resolve(caller: Caller, ref: str) -> Call[Release]:
    """Give the release that a ref means right now.

    Raises:
        NotFound: No such adapter, release or channel.
        FailedPrecondition: The channel points to a yanked release.
    """
    del caller
    return Call(
        method=f"{_SERVICE}/Resolve",
        request=pb.ResolveRequest(ref=ref),
        response=pb.ResolveResponse,
        read=lambda response: read_release(response.release),
    )


def promote(
    caller: Caller,
    ref: str,
    *,
    channel: str = DEFAULT_CHANNEL,
    reason: str = "",
    expect: str = "",
) -> Call[ChannelMove]:
    """Move a channel to a release; safe to retry.

    `expect` makes it a compare-and-set: the digest the channel must point to now, or `none` for a
    channel that must not exist yet.

    Raises:
        NotFound: The ref names nothing.
        FailedPrecondition: The channel points elsewhere than expected, or the release is yanked.
    """
    return Call(
        method=f"{_SERVICE}/Promote",
        request=pb.PromoteRequest(
            ref=ref,
            channel=channel,
            reason=reason,
            actor=caller.actor,
            expect_digest=expect,
            request_id=caller.new_id(),
        ),
        response=pb.PromoteResponse,
        read=lambda response: read_move(response.move),
    )


def rollback(
    caller: Caller,
    name: str,
    *,
    reason: str,
    channel: str = DEFAULT_CHANNEL,
    to: str = "",
) -> Call[ChannelMove]:
    """Return a channel to the release before, or to version `to`; safe to retry.

    Raises:
        NotFound: No such adapter, channel or version.
        FailedPrecondition: There is nothing to roll back to.
    """
    return Call(
        method=f"{_SERVICE}/Rollback",
        request=pb.RollbackRequest(
            adapter=name,
            channel=channel,
            to_version=to,
            reason=reason,
            actor=caller.actor,
            request_id=caller.new_id(),
        ),
        response=pb.RollbackResponse,
        read=lambda response: read_move(response.move),
    )


def yank(caller: Caller, ref: str, *, reason: str) -> Call[Release]:
    """Take a release out of resolution by channel; exact pins still work."""
    return Call(
        method=f"{_SERVICE}/Yank",
        request=pb.YankRequest(ref=ref, reason=reason, actor=caller.actor),
        response=pb.YankResponse,
        read=lambda response: read_release(response.release),
    )


def unyank(caller: Caller, ref: str, *, reason: str) -> Call[Release]:
    """Undo a yank."""
    return Call(
        method=f"{_SERVICE}/Unyank",
        request=pb.UnyankRequest(ref=ref, reason=reason, actor=caller.actor),
        response=pb.UnyankResponse,
        read=lambda response: read_release(response.release),
    )


def history(
    caller: Caller, name: str = "", *, channel: str = "", limit: int = 0
) -> Call[tuple[Record, ...]]:
    """Give records, oldest first: of one adapter or of all, of one channel or everything.

    `limit` keeps the newest so many; 0 is the server's default.
    """
    del caller
    return Call(
        method=f"{_SERVICE}/History",
        request=pb.HistoryRequest(adapter=name, channel=channel, limit=limit),
        response=pb.HistoryResponse,
        read=lambda response: tuple(read_record(record) for record in response.records),
    )


def watch(caller: Caller, *, from_seq: int = 0) -> Call[Record]:
    """Give records as they happen, from log position `from_seq` on; 0: only what is new."""
    del caller
    return Call(
        method=f"{_SERVICE}/Watch",
        request=pb.WatchRequest(from_seq=from_seq),
        response=pb.WatchResponse,
        read=lambda response: read_record(response.record),
    )
