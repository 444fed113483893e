# SPDX-License-Identifier: Apache-2.0
"""Opens a registry: place, newest checkpoint, the log from there; and puts its parts together."""

from __future__ import annotations

import random
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tabard_registry.checkpoint import Checkpoints
from tabard_registry.content.blobs import Blobs
from tabard_registry.errors import CorruptRegistry
from tabard_registry.index.queries import Queries
from tabard_registry.journal.journal import Journal
from tabard_registry.log.slots import Log, LogLimits
from tabard_registry.place import Place, open_place, open_store
from tabard_registry.state.fold import empty_state
from tabard_registry.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What a registry is made of.

    Attributes:
        place: Where it is.
        journal: Its log and state.
        blobs: Its bytes.
        checkpoints: Its checkpoints.
        queries: Its history and search.
        damaged_checkpoints: What was wrong with those that were passed over.
    """

    place: Place
    journal: Journal
    blobs: Blobs
    checkpoints: Checkpoints
    queries: Queries
    damaged_checkpoints: tuple[CorruptRegistry, ...]


def utc_now() -> datetime:
    """Return the time; the default clock."""
    return datetime.now(UTC)


def random_id() -> str:
    """Return 128 random bits in hexadecimal; the default source of ids."""
    return secrets.token_hex(16)


def open_registry(
    url: str | Store,
    *,
    cache: Path | None,
    clock: Callable[[], datetime],
    new_id: Callable[[], str],
    create: bool,
    limits: LogLimits,
    sleep: Callable[[float], None],
    rng: random.Random,
) -> Opened:
    """Open what a registry is made of; arguments and errors are those of `Registry.open`."""
    store = open_store(url) if isinstance(url, str) else url
    place = open_place(store, new_id=new_id, create=create)
    if store.is_swept_when_opened:
        store.sweep()
    checkpoints = Checkpoints(store, registry_id=place.registry_id)
    found = checkpoints.open_newest()
    journal = Journal(
        found.state or empty_state(registry_id=place.registry_id, genesis=place.genesis),
        log=Log(store, limits=limits, sleep=sleep, rng=rng),
        limits=limits,
        clock=clock,
        new_id=new_id,
    )

    return Opened(
        place=place,
        journal=journal,
        blobs=Blobs(store, generation=lambda digest: journal.state.collected.get(str(digest), 0)),
        checkpoints=checkpoints,
        queries=Queries(journal, registry_id=place.registry_id, cache=cache),
        damaged_checkpoints=found.damaged,
    )
