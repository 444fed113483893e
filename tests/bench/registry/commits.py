# SPDX-License-Identifier: Apache-2.0
"""How fast a registry takes acts, and how soon another one that follows the log shows them.

In: an empty folder. Out: seconds and acts per second. No network: a folder is the store.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tabard_registry import Author, Registry
from tests.registry.fakes import publish, ref

VERSIONS = ("1.0.0", "1.1.0")
THREADS = 32
ACTS_EACH = 20
POLL_SECONDS = 0.5
PROMOTIONS = 100


def prepare(folder: Path) -> str:
    """Make a registry with two releases, and return where it is."""
    url = str(folder / "commits")
    registry = Registry.open(url)
    for version in VERSIONS:
        publish(registry, version, folder=folder)
    return url


def acts_per_second(url: str, *, threads: int) -> float:
    """Promote from several threads at once, each on a channel of its own."""
    registry = Registry.open(url)
    with ThreadPoolExecutor(threads) as pool:
        begun = time.perf_counter()
        list(pool.map(lambda number: _promote_often(registry, f"channel-{number}"), range(threads)))
        return threads * ACTS_EACH / (time.perf_counter() - begun)


def seconds_until_seen(url: str) -> list[float]:
    """Promote at random moments, and tell how long each took to show in a registry that follows."""
    writer, seen = Registry.open(url), []
    landed: dict[int, float] = {}
    lock, done = threading.Lock(), threading.Event()

    def follow() -> None:
        reader = Registry.open(url)
        while not (done.is_set() and not landed):
            reader.refresh()
            now = time.perf_counter()
            with lock:
                for seq in [seq for seq in landed if seq <= reader.seq]:
                    seen.append(now - landed.pop(seq))
            time.sleep(POLL_SECONDS)

    follower = threading.Thread(target=follow)
    follower.start()
    rng = random.Random(0)
    for version in _turns(PROMOTIONS):
        time.sleep(rng.uniform(0.0, 0.2))
        move = writer.promote(ref(version), channel="seen", author=Author(actor="bench"))
        with lock:
            landed[move.seq] = time.perf_counter()
    done.set()
    follower.join()
    return seen


def _promote_often(registry: Registry, channel: str) -> None:
    # Where it stands from a run before must not make the first act an idle one.
    pointer = registry.state.adapter(ref("stable").adapter).channels.get(channel)
    last = str(pointer.version) if pointer else VERSIONS[1]
    for version in _turns(ACTS_EACH, after=last):
        registry.promote(ref(version), channel=channel, author=Author(actor="bench"))


def _turns(count: int, *, after: str = VERSIONS[1]) -> Iterator[str]:
    first = VERSIONS.index(after) + 1
    return (VERSIONS[(first + number) % len(VERSIONS)] for number in range(count))
