# SPDX-License-Identifier: Apache-2.0
"""A large registry that nobody had to publish: release lines, and the text of their checkpoint.

In: how many. Out: the same lines for the same number, through the checkpoint's own codec. There are
no blobs and no records behind them.
"""

from __future__ import annotations

import multiprocessing
import os
import random
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import product

from tabard_registry import Adapter, AdapterName, Channel, Digest, Release, Version
from tabard_registry.checkpoint.codec import lines_of
from tabard_registry.refs.digest import sha256_bytes
from tabard_registry.release.history import HistoryEntry

_WORDS = """
watercolor ink charcoal gouache pastel oil acrylic etching linocut woodblock fresco mosaic portrait
landscape harbor mountain forest meadow city alley temple garden river ocean desert soft harsh warm
cold muted vivid grainy smooth flat layered bold delicate faded glowing misty anime comic sketch
poster pixel voxel clay paper origami knitted neon vaporwave baroque gothic
"""
RELEASES_PER_ADAPTER = 10
"""On average; a line has 1 to 19."""
SEQS_PER_ADAPTER = 64
"""How many records one line would have taken, at most."""
WORDS = tuple(_WORDS.split())
"""Words that nearly every line says: of a name, and half of every note."""
_SYLLABLES = ("ka", "lo", "mi", "ren", "tos", "vu", "shi", "bel", "dra", "no", "pel", "gor")
RARE_WORDS = tuple(map("".join, product(_SYLLABLES, repeat=4)))
"""Twenty thousand words of which a line says a few: the other half of the notes."""

_BASES = ("sd1", "sd1", "sd2", "sdxl")
_FINGERPRINTS = {family: str(sha256_bytes(family.encode())) for family in _BASES}
_PURPOSES = ("style", "subject", "concept", "")
_NOTES_WORDS = 7
_LINES_AT_ONCE = 1_000


def names(count: int) -> list[AdapterName]:
    """Return the names of the release lines, in the order of their texts."""
    numbers = range(count)
    texts = (f"studio-{n % 997:03d}/{WORDS[n % len(WORDS)]}-{n:06d}" for n in numbers)
    return [AdapterName.parse(text) for text in sorted(texts)]


def content(count: int) -> Iterator[bytes]:
    """Yield the text of the release lines, in portions, made by as many processes as there are."""
    named = list(enumerate(names(count)))
    portions = [named[at : at + _LINES_AT_ONCE] for at in range(0, count, _LINES_AT_ONCE)]
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count(), mp_context=spawn) as pool:
        yield from pool.map(_portion, portions)


def line_of(name: AdapterName, *, number: int) -> Adapter:
    """Make one release line: a tenth of the releases on `stable`, the last two on `canary`."""
    rng = random.Random(number)
    seq = SEQS_PER_ADAPTER * number + 1
    releases: list[Release] = []
    for index in range(rng.randint(1, 2 * RELEASES_PER_ADAPTER - 1)):
        parent = releases[-1].digest if releases else None
        releases.append(_release(name, rng=rng, seq=seq + 3 * index, index=index, parent=parent))
    promoted = {"canary": releases[-2:], "stable": releases[::3]}
    events = [
        _promotion(release, channel=channel, before=before, step=step)
        for step, (channel, chosen) in enumerate(promoted.items(), start=1)
        for before, release in zip([None, *chosen], chosen, strict=False)
    ]
    return Adapter(
        name=name,
        by_version={release.version: release for release in releases},
        by_digest={release.digest: release for release in releases},
        channels={name: _channel(name, chosen) for name, chosen in promoted.items()},
        events=tuple(sorted(events, key=lambda event: event.seq)),
    )


def _portion(named: list[tuple[int, AdapterName]]) -> bytes:
    rows = (row for number, name in named for row in lines_of(line_of(name, number=number)))
    return b"".join(row + b"\n" for row in rows)


def _release(
    name: AdapterName, *, rng: random.Random, seq: int, index: int, parent: Digest | None
) -> Release:
    bits, digits = rng.getrandbits(32), rng.randbytes(96).hex()
    family = _BASES[bits % 4]
    return Release(
        adapter=name,
        version=Version(major=1 + index // 10, minor=index % 10, patch=0),
        digest=Digest(digits[:64]),
        kind="lora",
        purpose=_PURPOSES[(bits >> 2) % 4],
        base_family=family,
        base_fingerprint=_FINGERPRINTS[family],
        trigger_words=(f"{WORDS[(bits >> 4) % len(WORDS)]}style",),
        tokens=(),
        rank=4 << (bits >> 8) % 4,
        target_count=192,
        original=(Digest(digits[64:128]),),
        canonical=Digest(digits[128:]),
        original_bytes=4_000_000 + bits % 200_000_000,
        resident_bytes=4_000_000 + bits % 100_000_000,
        dialect="kohya",
        notes=" ".join(
            rng.choices(WORDS, k=_NOTES_WORDS) + rng.choices(RARE_WORDS, k=_NOTES_WORDS)
        ),
        licence="CC-BY-4.0",
        title="",
        training={
            "ss_learning_rate": "0.0001",
            "ss_max_train_steps": str(500 + bits % 4_500),
            "ss_network_dim": "16",
            "ss_sd_model_name": "v1-5-pruned-emaonly.safetensors",
            "ss_seed": str(bits),
        },
        parent=parent,
        seq=seq,
        published_at=_time(seq),
        published_by=f"{name.namespace}@example.org",
        publish_reason="nightly training",
    )


def _promotion(
    release: Release, *, channel: str, before: Release | None, step: int
) -> HistoryEntry:
    return HistoryEntry(
        seq=release.seq + step,
        time=_time(release.seq + step),
        actor=release.published_by,
        reason="looks right on the contact sheet",
        type="promote",
        adapter=str(release.adapter),
        version=str(release.version),
        digest=str(release.digest),
        channel=channel,
        previous_digest=str(before.digest) if before else "",
    )


def _channel(name: str, chosen: list[Release]) -> Channel:
    newest = chosen[-1]
    return Channel(
        name=name,
        digest=newest.digest,
        version=newest.version,
        seq=newest.seq + 1,
        below=tuple(release.digest for release in chosen[:-1]),
        served=frozenset(release.digest for release in chosen),
    )


def _time(seq: int) -> str:
    minutes, second = divmod(seq, 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    month, day = divmod(days, 28)
    return f"2026-{1 + month % 12:02d}-{1 + day:02d}T{hour:02d}:{minute:02d}:{second:02d}.000000Z"
