# SPDX-License-Identifier: Apache-2.0
"""Reports whose sides could be exchanged: pictures of noise, in files whose text tells all."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image, PngImagePlugin

from tabard_registry import AdapterRef, Author, Registry, Release, sha256_bytes
from tabard_registry.evidence.documents import digest_of, to_bytes
from tabard_registry.evidence.report import Against, Candidate, Picture, Report
from tests.registry.evidence.reports import ANN, grid, subject_of
from tests.registry.fakes import publish

SIDE = 8
SEEDS = tuple(range(16))


def voter(name: str) -> Author:
    """Somebody who votes."""
    return Author(actor=name, reason="looked")


def noise(number: int, *, drawn_by: str) -> bytes:
    """A picture of noise, whose file says who drew it."""
    pixels = np.random.default_rng(number).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    text = PngImagePlugin.PngInfo()
    text.add_text("parameters", f"drawn by {drawn_by}")
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG", pnginfo=text)
    return buffer.getvalue()


def released(registry: Registry, folder: Path) -> tuple[Release, Release]:
    """A release, and the one before it."""
    before = publish(registry, "1.0.0", folder=folder).release
    return publish(registry, "1.1.0", folder=folder).release, before


def file_report(
    registry: Registry,
    release: Release,
    *,
    against: Release,
    cells: int = 192,
    is_swapped: bool = False,
    outcome: str = "",
    first: int = 0,
) -> Report:
    """File a report with so many pairs; swapped, each side has drawn what the other had.

    `first` is the number of the first picture: others show other noise.
    """
    numbers = range(first, first + cells)
    one = [noise(2 * n, drawn_by="one") for n in numbers]
    other = [noise(2 * n + 1, drawn_by="other") for n in numbers]
    candidates, baseline = (other, one) if is_swapped else (one, other)
    places = [(n // len(SEEDS), SEEDS[n % len(SEEDS)]) for n in range(cells)]
    drawn = replace(grid(), seeds=SEEDS)
    report = Report(
        release=subject_of(release),
        against=Against(version=against.version, digest=against.digest),
        grid=digest_of(drawn),
        verdict="Inconclusive",
        candidates=tuple(
            Candidate(image=sha256_bytes(png), prompt=prompt, seed=seed)
            for png, (prompt, seed) in zip(candidates, places, strict=True)
        ),
        baseline=tuple(
            Picture(image=sha256_bytes(png), prompt=prompt, seed=seed)
            for png, (prompt, seed) in zip(baseline, places, strict=True)
        ),
        outcome=outcome,
    )
    registry.evidence.put(report, author=ANN, blobs=[*one, *other, to_bytes(drawn)])
    return report


def ref_of(release: Release) -> AdapterRef:
    """Its exact ref."""
    return AdapterRef.parse(f"{release.adapter}@{release.version}")
