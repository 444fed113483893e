# SPDX-License-Identifier: Apache-2.0
"""A picture is found by its file, its pixels or its looks; what is another one is not."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, PngImagePlugin

from tabard_registry import Grants, Registry, Release, Role, sha256_bytes
from tabard_registry.evidence.documents import to_bytes
from tabard_registry.evidence.report import Candidate
from tabard_registry.identity.roles import EVERYTHING
from tabard_server.errors import InvalidRequest
from tabard_server.evidence import lookup as lookup_module
from tabard_server.evidence.lookup import Likeness, Lookup
from tabard_server.limits import Limits
from tests.registry.evidence.reports import ANN, grid, report_on
from tests.registry.fakes import publish, ref


def drawing(seed: int, *, side: int = 96) -> Image.Image:
    """Some shapes on a ground, different for every seed."""
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", (side, side), tuple(int(one) for one in rng.integers(0, 256, 3)))
    pen = ImageDraw.Draw(image)
    for _ in range(8):
        x, y, wide, high = (int(one) for one in rng.integers(4, side // 2, 4))
        colour = tuple(int(one) for one in rng.integers(0, 256, 3))
        pen.ellipse((x, y, x + wide, y + high), fill=colour)
    return image


def file_of(image: Image.Image, kind: str = "PNG", **said: Any) -> bytes:
    """Write it."""
    sink = io.BytesIO()
    image.save(sink, kind, **said)
    return sink.getvalue()


PNGS = tuple(file_of(drawing(seed)) for seed in range(4))


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """A registry in a folder."""
    return Registry.open((tmp_path / "registry").as_uri())


@pytest.fixture
def release(registry: Registry, tmp_path: Path) -> Release:
    """A release with a report that shows four pictures."""
    made = publish(registry, "1.0.0", folder=tmp_path).release
    candidates = tuple(
        Candidate(image=sha256_bytes(png), prompt=n, seed=10 + n) for n, png in enumerate(PNGS)
    )
    report = report_on(made, candidates=candidates)
    registry.evidence.put(report, author=ANN, blobs=[*PNGS, to_bytes(grid())])
    return made


def look(registry: Registry, content: bytes, *, grants: Grants = EVERYTHING) -> Any:
    """Look for a picture."""
    lookup = Lookup(registry, limits=Limits(), picture_bytes_max=1 << 20)
    return lookup.find(content, grants=grants)


def test_same_file_is_found(registry: Registry, release: Release) -> None:
    """With what drew it, and where in the grid."""
    found = look(registry, PNGS[2])

    (match,) = found.matches
    assert (match.likeness, match.distance_bits) == (Likeness.SAME_FILE, 0)
    assert (match.shown.prompt, match.shown.seed, match.shown.side) == (2, 12, "candidate")
    assert match.page.release.digest == release.digest
    assert found.png == PNGS[2]
    assert [one.release.digest for one in found.reports] == [release.digest]
    assert (found.searched_count, found.is_complete, found.nearest_bits) == (4, True, 0)


@pytest.mark.parametrize(
    ("changed", "likeness"),
    [
        (file_of(drawing(1), pnginfo=None, compress_level=1), Likeness.SAME_PIXELS),
        (file_of(drawing(1), "JPEG", quality=80), Likeness.NEAR),
        (file_of(drawing(1).resize((48, 48))), Likeness.NEAR),
        (file_of(drawing(1).resize((200, 200)), "WEBP"), Likeness.NEAR),
    ],
)
def test_picture_saved_again_is_found(
    registry: Registry, release: Release, changed: bytes, likeness: Likeness
) -> None:
    """Without its words, as JPEG, smaller or larger."""
    (match,) = look(registry, changed).matches

    assert match.likeness is likeness
    assert match.shown.prompt == 1


def test_words_in_the_file_change_nothing(registry: Registry, release: Release) -> None:
    """It shows the same pixels."""
    words = PngImagePlugin.PngInfo()
    words.add_text("Comment", "mine")

    (match,) = look(registry, file_of(drawing(3), pnginfo=words)).matches

    assert match.likeness is Likeness.SAME_PIXELS


@pytest.mark.parametrize("seed", range(50, 60))
def test_other_picture_is_not_found(registry: Registry, release: Release, seed: int) -> None:
    """It is said how near the nearest one is."""
    found = look(registry, file_of(drawing(seed)))

    assert found.matches == ()
    assert found.png == b""
    assert found.reports == ()
    assert found.nearest_bits > 8
    assert found.is_complete


def test_nothing_is_found_in_nothing(registry: Registry) -> None:
    """There is no nearest one then."""
    found = look(registry, PNGS[0])

    assert (found.matches, found.nearest_bits, found.searched_count) == ((), None, 0)


def test_private_evidence_is_not_searched(registry: Registry, release: Release) -> None:
    """Not even how near it is, is told."""
    registry.set_policy("acme", private=True, author=ANN)
    stranger = Grants({"beta": frozenset({Role.GENERATE})})

    found = look(registry, PNGS[0], grants=stranger)

    assert (found.matches, found.nearest_bits, found.searched_count) == ((), None, 0)


def test_edit_tells_of_a_picture_once(registry: Registry, release: Release) -> None:
    """By the newest document that shows it."""
    before = registry.evidence.newest(ref("1.0.0"), kind="report")
    assert before is not None
    edit = registry.evidence.put(
        report_on(release, candidates=before.document.candidates, outcome="kept"),  # type: ignore[union-attr]
        author=ANN,
        blobs=[],
    )

    (match,) = look(registry, PNGS[0]).matches

    assert match.page.note.document == edit.note.document


def test_search_goes_on_when_asked_again(
    registry: Registry, release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So many are read in one call; the second time those are known."""
    monkeypatch.setattr(lookup_module, "READS_MAX", 2)
    lookup = Lookup(registry, limits=Limits(), picture_bytes_max=1 << 20)
    other = file_of(drawing(99))

    counts = []
    for _ in range(4):
        found = lookup.find(other, grants=EVERYTHING)
        counts.append((found.searched_count, found.is_complete))

    assert counts == [(1, False), (3, False), (4, True), (4, True)]


def test_what_is_no_picture_is_passed_over(registry: Registry, release: Release) -> None:
    """Documents may list anything; the rest is still compared."""
    junk = b"no picture"
    report = report_on(release, candidates=(Candidate(image=sha256_bytes(junk), prompt=0, seed=1),))
    registry.evidence.put(report, author=ANN, blobs=[junk])

    found = look(registry, PNGS[0])

    assert found.matches[0].likeness is Likeness.SAME_FILE
    assert found.searched_count == 4


def test_what_is_sent_has_to_be_a_picture(registry: Registry) -> None:
    """As everywhere."""
    with pytest.raises(InvalidRequest) as refused:
        look(registry, b"no picture")

    assert refused.value.reason == "IMAGE_NOT_READABLE"
