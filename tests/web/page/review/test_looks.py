# SPDX-License-Identifier: Apache-2.0
"""References and training pictures by number, which tells a voter no digest."""

import asyncio

import pytest

from tabard import NotFound
from tabard_web.bounds import Bounds
from tabard_web.page.review.looks import LooksDoor
from tabard_web.pictures.studio import Studio
from tests.web.page.review.registries import FakeRegistry, FakeVisitors, request


def door() -> tuple[LooksDoor, FakeRegistry]:
    registry = FakeRegistry()
    return LooksDoor(FakeVisitors(registry), Studio(Bounds())), registry  # type: ignore[arg-type]


def test_references_are_those_of_the_one_before() -> None:
    """Its own, or else those of the newest one before it that is sound; each once."""
    looks, _ = door()

    told = asyncio.run(looks.looks(request(), "acme/ink@3.0.0", "references"))

    assert told.model_dump() == {"count": 2, "are_hidden": False}


def test_picture_is_given_by_its_place() -> None:
    """Whether the list was asked for or not; small, and of the release that has it."""
    looks, registry = door()

    answer = asyncio.run(looks.picture(request(), "acme/ink@3.0.0", "references", 1, 16))

    assert answer.media_type == "image/webp"
    assert registry.asked == [("shown", "acme/ink@1.0.0", "sha256:r", "two")]


def test_place_beyond_the_last_is_not_found() -> None:
    """There is no such picture."""
    looks, _ = door()

    with pytest.raises(NotFound):
        asyncio.run(looks.picture(request(), "acme/ink@3.0.0", "references", 2, 16))


def test_embeddings_are_told_as_hidden() -> None:
    """Nobody sees what was kept as numbers alone."""
    looks, _ = door()

    told = asyncio.run(looks.looks(request(), "acme/ink@3.0.0", "training"))

    assert told.model_dump() == {"count": 0, "are_hidden": True}
