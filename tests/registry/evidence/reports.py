# SPDX-License-Identifier: Apache-2.0
"""Documents on a release, with the bytes of their pictures."""

from __future__ import annotations

from typing import Any

from tabard_registry import Author, Registry, Release, sha256_bytes
from tabard_registry.acts import Evidenced
from tabard_registry.evidence.documents import FiledReview, References, digest_of, to_bytes
from tabard_registry.evidence.grid import Grid, GridPrompt
from tabard_registry.evidence.report import Candidate, Check, Report, Subject
from tabard_registry.release.health import CHECKS

ANN = Author(actor="ann", reason="measured")
BOB = Author(actor="bob", reason="looks right")
PICTURES = tuple(f"picture {number}".encode() for number in range(4))
ALL_CLEAR = {name: Check(state="clear", by="bob") for name in CHECKS}


def grid(name: str = "small", **fields: Any) -> Grid:
    """A small grid."""
    prompts = tuple(GridPrompt(text=f"{{trigger}} number {n}") for n in range(12))
    said = {"prompts": prompts, "seeds": (1, 2), "steps": 4, "width": 64, "height": 64}
    return Grid(**{"name": name, "guidance_scale": 5.0, **said, **fields})


def subject_of(release: Release) -> Subject:
    """A release, as documents name it."""
    return Subject(adapter=release.adapter, version=release.version, digest=release.digest)


def report_on(release: Release, *, verdict: str = "Success", **fields: Any) -> Report:
    """A report with four pictures."""
    candidates = tuple(
        Candidate(image=sha256_bytes(png), prompt=n, seed=1) for n, png in enumerate(PICTURES)
    )
    said: dict[str, Any] = {"verdict": verdict, "candidates": candidates, **fields}
    return Report(release=subject_of(release), grid=digest_of(grid()), **said)


def put_report(
    registry: Registry, release: Release, *, verdict: str = "Success", **fields: Any
) -> Evidenced:
    """Announce a report."""
    document = report_on(release, verdict=verdict, **fields)
    return registry.evidence.put(document, author=ANN, blobs=[*PICTURES, to_bytes(grid())])


def references_of(release: Release, *pictures: bytes) -> References:
    """References by pictures."""
    digests = tuple(map(sha256_bytes, pictures))
    return References(kind="references", release=subject_of(release), pictures=digests)


def review_of(release: Release, report: Report, *, page: bytes, **fields: Any) -> FiledReview:
    """A review of a report, as this page shows it."""
    said: dict[str, Any] = {"pictures": report.pictures, "against": report.against, **fields}
    return FiledReview(
        release=subject_of(release), report=digest_of(report), page=sha256_bytes(page), **said
    )
