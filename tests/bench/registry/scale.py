# SPDX-License-Identifier: Apache-2.0
"""A registry of a million releases: how it opens, resolves, lists and searches, and in what memory.

Each stage runs in a process of its own, so that no memory of one counts for another; it prints its
numbers as JSON on its last line. `run` drives them all, and adds how fast acts are taken.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from tabard_registry import AdapterName, AdapterRef, Author, Registry, Version
from tabard_registry.checkpoint.packed import PackedLines
from tabard_registry.log.records import Record, time_text
from tabard_registry.log.slots import slot_key
from tabard_registry.refs.digest import sha256_bytes
from tabard_registry.refs.names import ByVersion
from tabard_registry.state.overlay import Overlay
from tests.bench.registry import commits, synthetic

RELEASES = 1_000_000
ROUNDS = 5
REFS = 10_000
PAGE = 100
TAIL_RECORDS = 100
OPEN_SECONDS_MAX, RSS_BYTES_MAX = 5.0, 1.5e9
RESOLVE_US_MAX, SEARCH_MS_MAX = 50.0, 100.0

_FIRST = ByVersion(Version(major=1, minor=0, patch=0))
_COMMON = synthetic.WORDS[:12]
_RARE = synthetic.RARE_WORDS[:: len(synthetic.RARE_WORDS) // 12]
_BEGINNINGS = ("wat", "h", "lora", "sd1", "kalo", "studio-1")

Numbers = dict[str, Any]


def run(*, releases: int, rounds: int) -> Numbers:
    """Measure everything, in a temporary folder that is gone afterwards."""
    adapters = max(1, releases // synthetic.RELEASES_PER_ADAPTER)
    with tempfile.TemporaryDirectory(prefix="tabard-bench-") as name:
        folder = Path(name)
        measured: Numbers = {"build": _stage("build", folder, adapters)}
        measured["open"] = [_stage("open", folder, adapters) for _ in range(rounds)]
        measured["ask"] = _stage("ask", folder, adapters)
        measured["index"] = _stage("index", folder, adapters)
        measured["search"] = _stage("search", folder, adapters)
        measured["keep"] = _stage("keep", folder, adapters)
        measured["commits"] = _commits(folder, rounds=rounds)
    return measured


def report(measured: Numbers) -> None:
    """Print what was measured, beside what was promised."""
    build, ask, index = measured["build"], measured["ask"], measured["index"]
    search, acts = measured["search"], measured["commits"]
    opened = sorted(one["seconds"] for one in measured["open"])
    rss = max(one["rss_bytes"] for one in measured["open"])
    single, grouped = median(acts["single_per_second"]), median(acts["grouped_per_second"])
    content_mb, file_mb = build["content_bytes"] / 1e6, build["file_bytes"] / 1e6
    promised_us = f"{RESOLVE_US_MAX:.0f} us"
    rows = [
        ("releases, adapters", f"{build['releases']:,}, {build['adapters']:,}", ""),
        ("checkpoint", f"{content_mb:.0f} MB, {file_mb:.0f} MB compressed", ""),
        ("open from it and 100 records", f"{median(opened):.2f} s", f"{OPEN_SECONDS_MAX:.0f} s"),
        ("  fastest to slowest", f"{opened[0]:.2f} to {opened[-1]:.2f} s", ""),
        ("  memory at most", f"{rss / 1e9:.2f} GB", f"{RSS_BYTES_MAX / 1e9:.1f} GB"),
        ("resolve a channel, first time", _spread_us(ask["channel_us"]), promised_us),
        ("resolve a version, first time", _spread_us(ask["version_us"]), promised_us),
        ("resolve again", _spread_us(ask["again_us"]), ""),
        (f"list a page of {PAGE}", f"{median(ask['page_ms']):.1f} ms", "100 ms"),
        ("walk all names", f"{median(ask['walk_ms']):.0f} ms", ""),
        ("build the index, once", f"{index['seconds']:.0f} s", ""),
        ("  memory then", f"{index['rss_bytes'] / 1e9:.2f} GB", ""),
        ("open with an index, first search", f"{search['first_ms']:.0f} ms", ""),
        ("search, common words", _spread_ms(search["common_ms"]), f"{SEARCH_MS_MAX:.0f} ms"),
        ("search, rare words", _spread_ms(search["rare_ms"]), f"{SEARCH_MS_MAX:.0f} ms"),
        ("search, beginnings of words", _spread_ms(search["beginning_ms"]), ""),
        ("history, newest 50", f"{median(search['history_ms']):.0f} ms", ""),
        ("write the next checkpoint", f"{measured['keep']['seconds']:.1f} s", ""),
        ("acts per second, one thread", f"{single:.0f}", ""),
        (f"  {commits.THREADS} threads", f"{grouped:.0f}, {grouped / single:.1f} times", ""),
        (f"seen elsewhere, poll {commits.POLL_SECONDS} s", _spread_s(acts["seen_seconds"]), "2 s"),
    ]
    print(f"\n{'registry at scale':36}{'measured':>34}   promised")
    for title, value, promise in rows:
        print(f"{title:36}{value:>34}   {promise}")


def build(folder: Path, adapters: int) -> Numbers:
    """Write a checkpoint of that many release lines, and a few real records after it."""
    begun = time.perf_counter()
    content = bytearray()
    for portion in synthetic.content(adapters):
        content += portion
    made = time.perf_counter()
    registry = Registry.open(str(folder / "registry"))
    lines = PackedLines(content, start=0)
    # The last record of the log that the checkpoint stands for.
    seq = adapters * synthetic.SEQS_PER_ADAPTER
    last = Record(
        seq=seq,
        prev=registry.state.head,
        id="bench",
        time=time_text(datetime.now(UTC)),
        actions=(),
    ).to_bytes()
    registry.store.create(slot_key(seq), body=last)
    state = replace(registry.state, seq=seq, head=sha256_bytes(last), adapters=Overlay(lines))
    key = registry.checkpoints.write(state)
    written = time.perf_counter()
    registry = Registry.open(str(folder / "registry"))
    for name in islice(registry.state.names(), TAIL_RECORDS):
        _promote(registry, name, channel="bench")
    return {
        "adapters": adapters,
        "releases": sum(len(line.by_version) for line in state.adapters.lines()),
        "content_bytes": len(content),
        "file_bytes": registry.store.size_bytes(key),
        "make_seconds": made - begun,
        "write_seconds": written - made,
    }


def open_once(folder: Path, adapters: int) -> Numbers:
    """Open the registry."""
    begun = time.perf_counter()
    registry = Registry.open(str(folder / "registry"))
    seconds = time.perf_counter() - begun
    assert registry.records_since_checkpoint == TAIL_RECORDS
    assert len(registry.state.adapters) == adapters
    return {"seconds": seconds, "rss_bytes": _rss_bytes()}


def ask(folder: Path, adapters: int) -> Numbers:
    """Resolve what nobody asked for before, again what was, and list."""
    registry = Registry.open(str(folder / "registry"))
    walk = [_ms(lambda: sum(1 for _ in registry.state.names())) for _ in range(ROUNDS)]
    names = random.Random(1).sample(list(registry.state.names()), min(2 * REFS, adapters))
    half = len(names) // 2
    channels = [AdapterRef(adapter=name) for name in names[:half]]
    versions = [AdapterRef(adapter=name, selector=_FIRST) for name in names[half:]]
    starts = random.Random(2).choices(names, k=4 * ROUNDS)
    return {
        "walk_ms": walk,
        "channel_us": _us_each(registry, channels),
        "version_us": _us_each(registry, versions),
        "again_us": _us_each(registry, channels[-1:] * REFS),
        "page_ms": [
            _ms(lambda start=str(start): registry.state.adapters_after(start, limit=PAGE))
            for start in starts
        ],
    }


def index(folder: Path, _adapters: int) -> Numbers:
    """Build the index."""
    registry = Registry.open(str(folder / "registry"), cache=folder / "cache")
    begun = time.perf_counter()
    registry.queries.search("watercolor")
    seconds = time.perf_counter() - begun
    registry.close()
    [file] = (folder / "cache").glob("*.sqlite")
    return {"seconds": seconds, "rss_bytes": _rss_bytes(), "file_bytes": file.stat().st_size}


def search(folder: Path, _adapters: int) -> Numbers:
    """Search by words of three kinds, with an index that was there."""
    registry = Registry.open(str(folder / "registry"), cache=folder / "cache")
    find = registry.queries.search
    return {
        "first_ms": _ms(lambda: find("watercolor")),
        "common_ms": _ms_of(find, _COMMON),
        "rare_ms": _ms_of(find, _RARE),
        "beginning_ms": _ms_of(find, _BEGINNINGS),
        "history_ms": [_ms(lambda: registry.queries.history(limit=50)) for _ in range(ROUNDS)],
    }


def keep(folder: Path, _adapters: int) -> Numbers:
    """Write the checkpoint after the next act."""
    registry = Registry.open(str(folder / "registry"))
    _promote(registry, next(registry.state.names()), channel="again")
    begun = time.perf_counter()
    registry.checkpoint()
    return {"seconds": time.perf_counter() - begun}


def _commits(folder: Path, *, rounds: int) -> Numbers:
    url = commits.prepare(folder)
    # They take turns, so that what slows one slows the other.
    pairs = [
        (
            commits.acts_per_second(url, threads=1),
            commits.acts_per_second(url, threads=commits.THREADS),
        )
        for _ in range(rounds)
    ]
    return {
        "single_per_second": [single for single, _ in pairs],
        "grouped_per_second": [grouped for _, grouped in pairs],
        "seen_seconds": commits.seconds_until_seen(url),
    }


def _stage(name: str, folder: Path, adapters: int) -> Numbers:
    command = [sys.executable, "-m", "tests.bench.registry.scale", name, str(folder), str(adapters)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: Numbers = json.loads(done.stdout.splitlines()[-1])
    return found


def _promote(registry: Registry, name: AdapterName, *, channel: str) -> None:
    registry.promote(
        AdapterRef(adapter=name, selector=_FIRST), channel=channel, author=Author(actor="bench")
    )


def _us_each(registry: Registry, refs: Sequence[AdapterRef]) -> list[float]:
    """Return median and 99th percentile of the microseconds of a resolve."""
    clock, found = time.perf_counter_ns, []
    for ref in refs:
        begun = clock()
        registry.state.resolve(ref)
        found.append((clock() - begun) / 1e3)
    return [median(found), quantiles(found, n=100)[98]]


def _ms(act: Callable[[], object]) -> float:
    begun = time.perf_counter()
    act()
    return 1e3 * (time.perf_counter() - begun)


def _ms_of(find: Callable[[str], object], words: Sequence[str]) -> list[float]:
    return [median(_ms(lambda word=word: find(word)) for _ in range(ROUNDS)) for word in words]


def _rss_bytes() -> int:
    # Not `ru_maxrss`, which a process takes over from the one that started it.
    [line] = [
        line
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        if line.startswith("VmHWM:")
    ]
    return int(line.split()[1]) * 1024


def _spread_us(found: Sequence[float]) -> str:
    return f"{found[0]:.0f} us, p99 {found[1]:.0f} us"


def _spread_ms(found: Sequence[float]) -> str:
    return f"{median(found):.0f} ms, slowest word {max(found):.0f} ms"


def _spread_s(found: Sequence[float]) -> str:
    return f"p99 {quantiles(found, n=100)[98]:.2f} s, median {median(found):.2f} s"


STAGES: dict[str, Callable[[Path, int], Numbers]] = {
    "build": build,
    "open": open_once,
    "ask": ask,
    "index": index,
    "search": search,
    "keep": keep,
}

if __name__ == "__main__":
    _, stage, where, count = sys.argv
    print(json.dumps(STAGES[stage](Path(where), int(count))))
