# SPDX-License-Identifier: Apache-2.0
"""The gate that every call of every door passes: what it is decides which places it takes.

Operators' calls have places of their own, and so has whoever comes by the operators' address: so
whatever else is full, a server can be asked how it is, and what went wrong can be taken back.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from enum import Enum

from tabard_server.callers.caller import OPERATORS, Caller
from tabard_server.callers.places import Place, Places, PlacesRule
from tabard_server.limits import Limits


class Work(Enum):
    """What a call does, as far as its places go."""

    OPERATE = "asks how the server is, or takes back what went wrong"
    LOOK = "answers at once from memory"
    READ = "may read the store or the index"
    ACT = "changes the registry, or loads an adapter"
    UPLOAD = "sends files"
    DOWNLOAD = "receives files"
    DRAW = "draws images; the waiting room has the seats"
    EVALUATE = "draws and judges a whole grid, behind everybody else"
    WATCH = "waits for records"
    FOLLOW = "waits for what becomes of a job"
    WATCH_HEALTH = "waits for a change of health"
    DESCRIBE = "asks what can be called"


class Gate:
    """All places of one server. Asyncio thread."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        most = limits.calls_max - limits.operator_calls_reserved
        self._calls = self._places("calls", most, setting="calls_max", reason="CALLS_BUSY")
        self._operators = self._places(
            "operators' calls",
            limits.operator_calls_reserved,
            setting="operator_calls_reserved",
            reason="CALLS_BUSY",
            queue_max=limits.operator_calls_reserved,
        )
        self._operators_address = self._places(
            "calls by the operators' address",
            limits.operator_calls_reserved,
            setting="operator_calls_reserved",
            reason="CALLS_BUSY",
            share=1.0,
        )
        self._work = self._places_of_work()

    @asynccontextmanager
    async def call(self, work: Work, *, caller: Caller) -> AsyncIterator[None]:
        """Hold the place of a call inside the block.

        Raises:
            Overloaded: As many run as may, or as many of this caller.
        """
        if caller == OPERATORS:
            places = self._operators_address
        else:
            places = self._operators if work is Work.OPERATE else self._calls
        async with places.one(caller):
            yield

    @asynccontextmanager
    async def work(self, work: Work, *, caller: Caller) -> AsyncIterator[Place | None]:
        """Hold the place of what a call does inside the block, waiting for it in line.

        None: the work needs none.

        Raises:
            Overloaded: The line is full, or the wait was too long.
        """
        places = self._work.get(work)
        if places is None:
            yield None
            return
        async with places.one(caller) as place:
            yield place

    def _places_of_work(self) -> Mapping[Work, Places]:
        limits = self._limits
        watches = {
            Work.WATCH: "watches",
            Work.WATCH_HEALTH: "watches of health",
            Work.DESCRIBE: "descriptions",
        }
        standing = {
            work: self._places(
                what, limits.watchers_max, setting="watchers_max", reason="WATCHERS_BUSY"
            )
            for work, what in watches.items()
        }
        return standing | {
            Work.FOLLOW: self._places(
                "watches of jobs",
                limits.job_watchers_max,
                setting="job_watchers_max",
                reason="WATCHERS_BUSY",
            ),
            Work.UPLOAD: self._places(
                "uploads",
                limits.uploads_max,
                setting="uploads_max",
                reason="UPLOADS_BUSY",
                queue_max=limits.uploads_queue_max,
            ),
            Work.DOWNLOAD: self._places(
                "downloads",
                limits.fetches_max,
                setting="fetches_max",
                reason="FETCHES_BUSY",
                queue_max=limits.fetches_queue_max,
            ),
            Work.EVALUATE: self._places(
                "evaluations",
                limits.evaluations_max,
                setting="evaluations_max",
                reason="EVALUATIONS_BUSY",
                queue_max=limits.evaluations_queue_max,
            ),
            Work.ACT: self._places(
                "acts",
                limits.registry_acts_max,
                setting="registry_acts_max",
                reason="ACTS_BUSY",
                queue_max=limits.registry_queue_max,
            ),
            Work.READ: self._places(
                "questions",
                limits.registry_reads_max,
                setting="registry_reads_max",
                reason="READS_BUSY",
                queue_max=limits.registry_queue_max,
            ),
        }

    def _places(
        self,
        what: str,
        most: int,
        *,
        setting: str,
        reason: str,
        queue_max: int = 0,
        share: float | None = None,
    ) -> Places:
        return Places(
            PlacesRule(
                what=what,
                setting=setting,
                places_max=most,
                share=self._limits.caller_share_max if share is None else share,
                queue_max=queue_max,
                wait_seconds_max=self._limits.queue_seconds_max,
                reason=reason,
                retry_seconds=self._limits.retry_seconds,
                retry_seconds_min=self._limits.retry_seconds_min,
            )
        )
