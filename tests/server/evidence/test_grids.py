# SPDX-License-Identifier: Apache-2.0
"""Whose grid is meant by a name, and who may know of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tabard_registry import Grants, Registry, Role
from tabard_registry.errors import InvalidName, NotFound
from tabard_registry.evidence.documents import to_bytes
from tabard_registry.evidence.grid import GridPrompt
from tabard_registry.identity.roles import EVERYTHING
from tabard_server.evidence.grids import Grids
from tests.registry.evidence.reports import ANN, grid
from tests.registry.fakes import publish, ref

STRANGER = Grants({"beta": frozenset({Role.GENERATE})})


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """A registry in a folder."""
    return Registry.open((tmp_path / "registry").as_uri())


def grids(registry: Registry) -> Grids:
    """Its grids, and one that every registry has."""
    return Grids(registry, shipped={"style": grid("style", steps=9)})


def put(registry: Registry, place: str, *, name: str = "style", steps: int = 4) -> bool:
    """Give a grid; say whether that changed anything."""
    content = to_bytes(grid(name, steps=steps))
    return grids(registry).put(content, place=place, author=ANN)[1]


def place_meant(registry: Registry, place: str, *, name: str = "style") -> str:
    """Say whose grid is meant."""
    return grids(registry).named(name, place=place, grants=EVERYTHING)[0].place


def test_nearest_grid_is_meant(registry: Registry) -> None:
    """A line's own, else its namespace's, else everybody's."""
    before = [place_meant(registry, one) for one in ("", "acme", "acme/ink")]
    put(registry, "acme")
    between = [place_meant(registry, one) for one in ("", "acme", "acme/ink", "beta")]
    put(registry, "acme/ink", steps=5)
    after = [place_meant(registry, one) for one in ("acme", "acme/ink", "acme/pen")]

    assert before == ["", "", ""]
    assert between == ["", "acme", "acme", ""]
    assert after == ["acme", "acme/ink", "acme"]


def test_newer_grid_replaces(registry: Registry) -> None:
    """Of the same name in the same place; the same again is no change."""
    assert [put(registry, "acme"), put(registry, "acme"), put(registry, "acme", steps=7)] == [
        True,
        False,
        True,
    ]
    found, content = grids(registry).named("style", place="acme", grants=EVERYTHING)

    assert content == to_bytes(grid("style", steps=7))
    assert (found.seq, found.place) == (2, "acme")


def test_grids_are_listed_once(registry: Registry) -> None:
    """By place and name, the newest of each; of one place what it can mean."""
    for place, name in (("acme/ink", "style"), ("acme", "faces"), ("beta", "style")):
        put(registry, place, name=name)
    put(registry, "acme", name="faces", steps=8)

    every = grids(registry).listed(place="", grants=EVERYTHING)
    of_line = grids(registry).listed(place="acme/ink", grants=EVERYTHING)

    assert [(one.place, one.name) for one in every] == [
        ("", "style"),
        ("acme", "faces"),
        ("acme/ink", "style"),
        ("beta", "style"),
    ]
    assert [one.place for one in of_line] == ["", "acme", "acme/ink"]


def test_unknown_grid_is_refused(registry: Registry) -> None:
    """With those that there are."""
    put(registry, "acme", name="faces")

    with pytest.raises(NotFound) as refused:
        grids(registry).named("facets", place="acme/ink", grants=EVERYTHING)

    assert refused.value.reason == "GRID_NOT_FOUND"
    assert "faces, style" in refused.value.hint


def test_private_grid_is_unseen(registry: Registry) -> None:
    """It is not listed, not meant, and its name is in no hint."""
    put(registry, "acme", name="secret-faces")
    registry.set_policy("acme", author=ANN, private=True)

    assert [one.place for one in grids(registry).listed(place="", grants=STRANGER)] == [""]
    with pytest.raises(NotFound) as refused:
        grids(registry).named("secret-faces", place="acme", grants=STRANGER)
    assert "secret" not in refused.value.hint


def test_grid_of_a_line_names_its_trigger(registry: Registry, tmp_path: Path) -> None:
    """The newest release says which word wakes it; a namespace has lines of both kinds."""
    made = publish(registry, "1.0.0", folder=tmp_path).release
    registry.edit(ref("1.0.0"), words={"trigger_words": ("inkwash",)}, author=ANN)
    content = to_bytes(grid(prompts=tuple(GridPrompt(text=f"number {n}") for n in range(12))))

    grids(registry).put(content, place=made.adapter.namespace, author=ANN)
    with pytest.raises(Exception, match="does not name the trigger") as refused:
        grids(registry).put(content, place=str(made.adapter), author=ANN)

    assert getattr(refused.value, "reason", "") == "TRIGGER_MISSING"


@pytest.mark.parametrize("name", ["", "A B", "x" * 100])
def test_impossible_name_is_refused(registry: Registry, name: str) -> None:
    """Before anything is looked for."""
    with pytest.raises(InvalidName):
        grids(registry).named(name, place="", grants=EVERYTHING)


@pytest.mark.parametrize("place", ["", "Acme", "acme/", "a/b/c", "acme@1"])
def test_impossible_place_is_refused(registry: Registry, place: str) -> None:
    """A grid belongs to a namespace or to a line."""
    with pytest.raises(InvalidName):
        put(registry, place)
