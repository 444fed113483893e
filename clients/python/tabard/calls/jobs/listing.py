# SPDX-License-Identifier: Apache-2.0
"""The jobs of a caller, of every server behind one address: each keeps its own.

In: pages of one server after another. Out: one list, the newest first. A server that is away is
left out, and so are its jobs.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

from tabard.calls.call import Call, Pages, unfit
from tabard.jobs.status import JobStatus
from tabard.routing import SERVER_METADATA
from tabard.v1 import job_service_pb2 as pb

_log = logging.getLogger("tabard")
Page = tuple[tuple[JobStatus, ...], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """How far the list is; it travels as the token of the next page.

    Attributes:
        server: Who is asked; empty: whoever answers.
        token: Token of that one's next page.
        count: How many jobs of it there are by now.
        left: Who is asked after it.
        is_first: Whether nobody has answered yet.
    """

    server: str = ""
    token: str = ""
    count: int = 0
    left: list[str] = field(default_factory=list)
    is_first: bool = True


def listed(
    read: Callable[[Any], JobStatus], *, limit: int | None
) -> Pages[JobStatus, tuple[JobStatus, ...]]:
    """Give the pages of all servers; of each no more than `limit`.

    Args:
        read: Makes the value of a job.
        limit: How many there shall be in all; 0: a page of each server, None: every job.

    Raises:
        InvalidArgument: The limit is below 0.
    """
    if limit is not None and limit < 0:
        raise unfit("limit", limit, hint="use a whole number; 0 is the server's default")

    def ask(_size: int, token: str) -> Call[Page]:
        place = _Place(**json.loads(token)) if token else _Place()
        request = pb.ListJobsRequest(
            page_size=limit - place.count if limit else 0, page_token=place.token
        )
        return Call(
            request=request,
            read=lambda answer: _page(answer, place, read=read, limit=limit),
            metadata=((SERVER_METADATA, place.server),) if place.server else (),
        )

    def gather(found: tuple[JobStatus, ...], _is_more: bool) -> tuple[JobStatus, ...]:
        newest = sorted(found, key=lambda one: datetime.fromisoformat(one.created_at), reverse=True)
        return tuple(newest[: limit or None])

    return Pages(ask=ask, limit=None, gather=gather)


def _page(
    answer: pb.ListJobsResponse,
    place: _Place,
    *,
    read: Callable[[Any], JobStatus],
    limit: int | None,
) -> Page:
    """Give the jobs of an answer, and the token of what is asked next; empty: nothing."""
    if place.server and answer.server != place.server:
        _log.info("a server of this address is away: its jobs are not listed")
        return (), _following(place)
    if place.is_first:
        place = replace(
            place, server=answer.server, left=list(answer.other_servers), is_first=False
        )
    jobs = tuple(map(read, answer.jobs))
    place = replace(place, token=answer.next_page_token, count=place.count + len(jobs))
    is_more = place.token and (limit is None or place.count < limit)
    return jobs, json.dumps(asdict(place)) if is_more else _following(place)


def _following(place: _Place) -> str:
    if not place.left:
        return ""
    server, *left = place.left
    return json.dumps(asdict(_Place(server=server, left=left, is_first=False)))
