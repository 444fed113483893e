# SPDX-License-Identifier: Apache-2.0
"""What callers may wish for, drawn from the seed and from what they believe to be the state."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial

from tabard_registry import (
    AdapterName,
    AdapterRef,
    Manifest,
    Registry,
    Version,
    acts,
)
from tabard_registry.acts import Act, Plan
from tabard_registry.refs.digest import Digest
from tabard_registry.refs.names import ByVersion
from tabard_registry.release.release import ABSENT, Adapter
from tabard_registry.state.state import State
from tabard_registry.upkeep.inventory import StoredBlob, generation_of, stored_blobs
from tests.registry.fakes import small_manifest
from tests.simulation.promises.ledger import Intent

LINES = (AdapterName("acme", "ink"), AdapterName("acme", "oil"))
"""Release lines with blobs and channels."""
TALLY = AdapterName("acme", "tally")
"""A line in which every publication takes the next version: one that is doubled shows."""
CHANNELS = ("stable", "canary")
CONTENTS = tuple(f"weights {number}".encode() for number in range(8))
"""What files hold: few, so that releases share blobs."""


class Wishes:
    """Draws wishes with labels of their own.

    Args:
        rng: Chance.
        number: Of the writer: its versions are its own.
    """

    def __init__(self, rng: random.Random, *, number: int) -> None:
        self._rng = rng
        self._number = number
        self._count = 0

    def draw(self, state: State) -> Intent:
        """Draw a wish that makes sense in a state that may be old."""
        self._count += 1
        line = state.adapters.get(self._rng.choice(LINES))
        chance = self._rng.random()
        if line is None or chance < 0.25:
            return self._publication()
        if chance < 0.3:
            return self.condemn()
        if chance < 0.4:
            return self._intent("tally", lambda registry: NEXT_VERSION, is_fresh=True)
        draw = self._rng.choice((self._promote, self._promote, self._roll_back, self._stand))
        return draw(line)

    def condemn(self) -> Intent:
        """Wish for a collection, whose record other acts of the same server may share."""
        self._count += 1
        garbage: list[StoredBlob] = []

        def make(registry: Registry) -> Act:
            garbage[:] = [
                blob
                for blob in stored_blobs(registry.store)
                if isinstance(blob, StoredBlob)
                and not is_needed(registry.state, blob.digest)
                and blob.generation == generation_of(registry.state, blob.digest)
            ]
            return acts.begin_collection([blob.digest for blob in garbage], is_needed=is_needed)

        def delete(registry: Registry) -> None:
            for blob in garbage:
                if blob.generation < generation_of(registry.state, blob.digest):
                    registry.store.delete(blob.key)

        return self._intent("condemn", make, afterwards=delete)

    def _intent(
        self,
        kind: str,
        make: Callable[[Registry], Act],
        *,
        expect: dict[str, str | None] | None = None,
        is_fresh: bool = False,
        afterwards: Callable[[Registry], None] = lambda registry: None,
    ) -> Intent:
        name = f"{kind} {self._number}.{self._count}"
        request_id = f"request for {name}" if self._rng.random() < 0.6 else ""
        return Intent(
            label=name,
            request_id=request_id,
            make=make,
            expect=expect or {},
            is_fresh=is_fresh,
            afterwards=afterwards,
        )

    def _publication(self) -> Intent:
        content = self._rng.choice(CONTENTS)
        # Nobody else takes this version, and not always is it the highest.
        version = Version(major=self._rng.randrange(3), minor=self._number, patch=self._count)
        manifest = small_manifest(str(version), adapter=self._rng.choice(LINES), content=content)

        def store(registry: Registry) -> Manifest:
            registry.blobs.put_bytes(content)
            registry.blobs.put_bytes(manifest.to_bytes())
            return manifest

        intent = self._intent("publish", partial(_publish, store=store), is_fresh=True)
        intent.store = store
        return intent

    def _promote(self, line: Adapter) -> Intent:
        release = self._rng.choice(line.releases)
        channel = self._rng.choice(CHANNELS)
        ref = AdapterRef(adapter=line.name, selector=ByVersion(release.version))
        if self._rng.random() < 0.4:
            return self._intent(
                "promote", lambda registry: acts.promote(ref, channel=channel, expect=None)
            )
        pointer = line.channels.get(channel)
        digest = pointer.digest if pointer else None
        return self._intent(
            "promote",
            lambda registry: acts.promote(ref, channel=channel, expect=digest or ABSENT),
            expect={f"{line.name}@{channel}": str(digest) if digest else None},
        )

    def _roll_back(self, line: Adapter) -> Intent:
        channel = self._rng.choice(CHANNELS)
        pointer = line.channels.get(channel)
        digest = pointer.digest if pointer and self._rng.random() < 0.5 else None
        return self._intent(
            "roll back",
            lambda registry: acts.roll_back(line.name, channel=channel, to=None, expect=digest),
            expect={f"{line.name}@{channel}": str(digest)} if digest else {},
        )

    def _stand(self, line: Adapter) -> Intent:
        release = self._rng.choice(line.releases)
        ref = AdapterRef(adapter=line.name, selector=ByVersion(release.version))
        chance = self._rng.random()
        if chance < 0.2:
            return self._intent("purge", lambda registry: acts.purge(ref), afterwards=delete_purged)
        if chance < 0.5:
            flag = not release.quarantined
            return self._intent(
                "quarantine", lambda registry: acts.set_quarantined(ref, quarantined=flag)
            )
        return self._intent(
            "yank", lambda registry: acts.set_yanked(ref, yanked=not release.yanked)
        )


def _publish(registry: Registry, *, store: Callable[[Registry], Manifest]) -> Act:
    gc_seq = registry.state.gc_seq
    return acts.publish(store(registry), gc_seq=gc_seq)


def delete_purged(registry: Registry) -> None:
    """Delete the bytes of what was purged, as a purge does once the log says so."""
    for name, line in registry.state.adapters.items():
        for release in line.by_digest.values() if name != TALLY else ():
            for digest in release.blobs if release.purged else ():
                registry.blobs.delete(digest)


def is_needed(state: State, digest: Digest) -> bool:
    """Whether a release that was not purged needs a blob; asks the state, and no list of needs."""
    return any(
        digest in release.blobs and not release.purged
        for name in state.adapters.names_with(digest.hex)
        for release in state.adapters[name].by_digest.values()
    )


def _plan_next_version(state: State) -> Plan:
    line = state.adapters.get(TALLY)
    # The acts of one record are planned at one position: the second number tells them apart.
    count = len(line.by_version) if line else 0
    version = Version(major=state.seq + 1, minor=count, patch=0)
    manifest = small_manifest(str(version), adapter=TALLY, content=b"")
    return acts.publish(manifest, gc_seq=state.gc_seq).plan(state)


NEXT_VERSION = Act(
    plan=_plan_next_version,
    is_same=lambda action: action.adapter == str(TALLY),
    answer=lambda _state, landed: landed,
)
"""Publish one more version of the tally."""
