# SPDX-License-Identifier: Apache-2.0
"""Puts the rooms of detached jobs together for one server. In: its settings. Out: `Detached`."""

import random
import time
from collections.abc import Callable
from pathlib import Path

from tabard_registry import State
from tabard_registry.place import open_store
from tabard_server.detached.detached import Detached
from tabard_server.detached.drawing import Walk, Words
from tabard_server.detached.folder import JobFolder
from tabard_server.detached.results import Results
from tabard_server.detached.shelf import Shelf
from tabard_server.detached.webhooks import Webhooks
from tabard_server.limits import Tenants
from tabard_server.settings import Settings
from tabard_server.threads import Threads
from tabard_server.webhooks.receivers import Receivers

_THREADS_MAX = 2
_REVIEW_SECONDS_MAX = 60.0
_REVIEWS_IN_A_LIFE = 10


def detached_for(
    settings: Settings, *, address: str, walk: Walk, words: Words, state: Callable[[], State]
) -> Detached:
    """Return what keeps detached jobs on a server that listens at an address."""
    jobs = settings.jobs
    # A cache without room, or that nobody may write to, costs time and detached jobs, no server.
    folder = JobFolder(folder_for(settings, address=address), is_required=bool(jobs.folder))
    urls = {place.namespace: place.url for place in jobs.places}
    return Detached(
        walk=walk,
        words=words,
        folder=folder,
        results=Results(folder, urls=urls, open_store=open_store),
        shelf=Shelf(jobs, tenants=Tenants(settings.tenants), clock=time.time),
        webhooks=Webhooks(
            jobs, receivers=Receivers(jobs), clock=time.time, jitter=random.SystemRandom().random
        ),
        threads=Threads("jobs", threads_max=_THREADS_MAX),
        state=state,
        clock=time.time,
        review_seconds=min(_REVIEW_SECONDS_MAX, jobs.keep_seconds / _REVIEWS_IN_A_LIFE),
    )


def folder_for(settings: Settings, *, address: str) -> Path:
    """Return where a server that listens at an address keeps its jobs."""
    if settings.jobs.folder:
        return Path(settings.jobs.folder)
    name = "".join(char if char.isalnum() or char in ".-" else "_" for char in address)
    return Path(settings.cache) / "jobs" / name
