# SPDX-License-Identifier: Apache-2.0
"""The jobs of several servers as one list: pages of each, the newest first, none of one twice."""

from collections.abc import Mapping
from typing import Any

import pytest

from tabard import InvalidArgument
from tabard.calls.jobs.listing import listed
from tabard.calls.jobs.standing import read_job
from tabard.routing import SERVER_METADATA
from tabard.v1 import job_service_pb2 as pb

PAGE = 2
"""Jobs on a page of these servers, where nobody says how many."""


class Fleet:
    """Servers by name, each with the seconds at which its jobs were accepted, newest first."""

    def __init__(self, servers: Mapping[str, list[int]], *, away: str = "nobody") -> None:
        self.servers = servers
        self.away = away
        self.calls: list[str] = []

    def answer(self, request: Any, metadata: Any) -> pb.ListJobsResponse:
        """Answer as the server that is named, or as the first."""
        names = [one for one in self.servers if one != self.away]
        named = dict(metadata).get(SERVER_METADATA, "")
        name = named if named in names else names[0]
        self.calls.append(name)
        jobs = self.servers[name]
        begin = int(request.page_token or 0)
        end = begin + (request.page_size or PAGE)
        answer = pb.ListJobsResponse(
            server=name,
            other_servers=[one for one in self.servers if one != name],
            next_page_token=str(end) if end < len(jobs) else "",
        )
        for second in jobs[begin:end]:
            answer.jobs.add(job_id=f"{name}-{second}").created_at.FromSeconds(second)
        return answer

    def listed(self, limit: int | None) -> list[str]:
        """List all as a client does."""
        pages = listed(read_job, limit=limit)
        found: tuple[Any, ...] = ()
        token: str | None = None
        while (call := pages.next(found, token)) is not None:
            page, token = call.read(self.answer(call.request, call.metadata))
            found += page
        return [one.job_id for one in pages.gather(found, bool(token))]


def test_jobs_of_all_are_one_list() -> None:
    """By time, however many pages each server needs."""
    fleet = Fleet({"a": [9, 5, 4, 1], "b": [8, 3, 2], "c": []})

    assert fleet.listed(None) == ["a-9", "b-8", "a-5", "a-4", "b-3", "b-2", "a-1"]


@pytest.mark.parametrize(("limit", "count"), [(1, 1), (3, 3), (99, 7)])
def test_limit_counts_over_all(limit: int, count: int) -> None:
    """The newest of all are given, not those of whoever answers first."""
    fleet = Fleet({"a": [9, 5, 4, 1], "b": [8, 3, 2], "c": []})

    every = ["a-9", "b-8", "a-5", "a-4", "b-3", "b-2", "a-1"]
    assert fleet.listed(limit) == every[:count]


def test_zero_is_a_page_of_each() -> None:
    """As many as each server thinks right."""
    fleet = Fleet({"a": [9, 5, 4, 1], "b": [8, 3, 2]})

    assert fleet.listed(0) == ["a-9", "b-8", "a-5", "b-3"]


def test_one_server_is_asked_as_ever() -> None:
    """Where nobody is named, no name is said."""
    fleet = Fleet({"": [3, 2, 1]})

    assert fleet.listed(None) == ["-3", "-2", "-1"]
    assert fleet.calls == ["", ""]


def test_server_that_is_away_is_left_out() -> None:
    """A proxy sends its call to another one: that one's jobs do not come twice."""
    fleet = Fleet({"a": [9, 5], "b": [8], "c": [7]}, away="b")

    assert fleet.listed(None) == ["a-9", "c-7", "a-5"]


def test_negative_limit_is_refused() -> None:
    """Before anything is sent."""
    with pytest.raises(InvalidArgument):
        listed(read_job, limit=-1)
