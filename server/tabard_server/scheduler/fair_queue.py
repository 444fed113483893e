# SPDX-License-Identifier: Apache-2.0
"""Whatever waits, kept in the order in which it is served: a look at the next is all that it costs.

In: entries that come and go. Out: turns, one by one, as many as somebody wants to see. Tenants take
turns by work: next is who had least, each for its weight (start-time fair queueing). Within a
tenant the higher priority is first, then who came first. Background comes after everybody.
"""

import heapq
from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

from tabard_server.scheduler.claims import Claim, Weights

_PASSED_MAX = 16
"""Entries of one lane that a walk passes by before it looks no further into that lane."""

_Lane: TypeAlias = tuple[int, Hashable]
"""Lowered priority and kind: within one lane whoever came first is first."""


class Queued(Protocol):
    """Whatever waits in a queue."""

    @property
    def claim(self) -> Claim:
        """What it is to the others."""

    @property
    def key(self) -> Any:
        """Its place in the order of coming; unique in its queue."""

    @property
    def kind(self) -> Hashable:
        """What tells those apart that can begin where others of its tenant cannot."""


C = TypeVar("C", bound=Queued)


class FairQueue(Generic[C]):
    """Entries that wait. One thread."""

    def __init__(self, entries: Iterable[C] = ()) -> None:
        """Let some wait."""
        self._tenants: dict[bool, dict[str, dict[_Lane, list[tuple[Any, C]]]]] = {
            False: {},
            True: {},
        }
        self._counts: Counter[bool] = Counter()
        for entry in entries:
            self.add(entry)

    def __len__(self) -> int:
        return self._counts.total()

    def __iter__(self) -> Iterator[C]:
        for tenants in self._tenants.values():
            for lanes in tenants.values():
                for lane in lanes.values():
                    yield from (entry for _key, entry in lane)

    def add(self, entry: C) -> None:
        """Let an entry wait, in the place that its key gives it."""
        claim = entry.claim
        lanes = self._tenants[claim.is_background].setdefault(claim.tenant, {})
        insort(lanes.setdefault(_lane_of(entry), []), (entry.key, entry))
        self._counts[claim.is_background] += 1

    def remove(self, entry: C) -> None:
        """Let an entry that waits do so no longer."""
        claim, name = entry.claim, _lane_of(entry)
        tenants = self._tenants[claim.is_background]
        lane = tenants[claim.tenant][name]
        at = bisect_left(lane, (entry.key,))
        assert lane[at][1] is entry, "it does not wait here"
        del lane[at]
        self._counts[claim.is_background] -= 1
        if not lane:
            del tenants[claim.tenant][name]
            if not tenants[claim.tenant]:
                del tenants[claim.tenant]

    def count(self, *, is_background: bool) -> int:
        """Return how many wait, of background or of all others."""
        return self._counts[is_background]

    def tenants(self, *, is_background: bool) -> Collection[str]:
        """Return whose entries wait."""
        return self._tenants[is_background].keys()

    def turns(
        self, *, is_background: bool, ahead: Mapping[str, float], weights: Weights
    ) -> "Turns[C]":
        """Walk through background or through all others; the queue stays as it is meanwhile.

        Args:
            is_background: Which of the two.
            ahead: Work for its weight that tenants had more than the one that was served last.
            weights: Of the tenants.
        """
        return Turns(self._tenants[is_background], ahead=ahead, weights=weights)


class Turns(Generic[C]):
    """One walk through a queue, in the order in which tenants have their turns."""

    def __init__(
        self,
        tenants: Mapping[str, Mapping[_Lane, list[tuple[Any, C]]]],
        *,
        ahead: Mapping[str, float],
        weights: Weights,
    ) -> None:
        self._lanes = tenants
        self._weights = weights
        # How far the walk is in each lane of a tenant that had a turn; closed ones are taken out.
        self._at: dict[str, dict[_Lane, int]] = {}
        self._passed: Counter[tuple[str, _Lane]] = Counter()
        self._last: tuple[float, C] | None = None
        self._next = [
            (ahead.get(tenant, 0.0), _first_key(lanes), tenant) for tenant, lanes in tenants.items()
        ]
        heapq.heapify(self._next)

    def __iter__(self) -> Iterator[C]:
        return self

    def __next__(self) -> C:
        self._line_up_again()
        if not self._next:
            raise StopIteration
        begun_at, _key, tenant = heapq.heappop(self._next)
        lanes = self._lanes[tenant]
        at = self._at.setdefault(tenant, dict.fromkeys(lanes, 0))
        name = _first_lane(lanes, at)
        _key, entry = lanes[name][at[name]]
        at[name] += 1
        if at[name] == len(lanes[name]):
            del at[name]
        self._last = begun_at, entry
        return entry

    def pass_by(self, entry: C) -> None:
        """Note that an entry lacks something that those behind it may not lack.

        Where that goes on, the walk looks no further among those of its kind.
        """
        lane = entry.claim.tenant, _lane_of(entry)
        self._passed[lane] += 1
        if self._passed[lane] >= _PASSED_MAX:
            self.close(entry)

    def close(self, entry: C) -> None:
        """See no other entry of this tenant, priority and kind."""
        self._at[entry.claim.tenant].pop(_lane_of(entry), None)

    def close_tenant(self, entry: C) -> None:
        """See no other entry of this tenant."""
        self._at[entry.claim.tenant].clear()

    def _line_up_again(self) -> None:
        """Give the tenant that was seen last its next turn, as its work puts it."""
        if self._last is None:
            return
        (begun_at, entry), self._last = self._last, None
        tenant = entry.claim.tenant
        if at := self._at[tenant]:
            lanes = self._lanes[tenant]
            name = _first_lane(lanes, at)
            until = begun_at + entry.claim.work / self._weights.of(tenant)
            heapq.heappush(self._next, (until, lanes[name][at[name]][0], tenant))


def _lane_of(entry: Queued) -> _Lane:
    return -entry.claim.priority, entry.kind


def _first_key(lanes: Mapping[_Lane, list[tuple[Any, C]]]) -> Any:
    return min((name[0], lane[0][0]) for name, lane in lanes.items())[1]


def _first_lane(lanes: Mapping[_Lane, list[tuple[Any, C]]], at: Mapping[_Lane, int]) -> _Lane:
    """Return the lane whose next entry is first: by priority, then by coming."""
    return min(at, key=lambda name: (name[0], lanes[name][at[name]][0]))
