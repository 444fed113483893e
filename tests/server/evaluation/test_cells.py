# SPDX-License-Identifier: Apache-2.0
"""Cells of a grid: the same prompt and seed for every side, known by all that shapes a picture."""

from dataclasses import replace

import pytest

from tabard_registry.evidence.grid import Grid, GridPrompt
from tabard_server.evaluation.cells import Cell, Side, Worn, cells_of

INK = Worn(digest="sha256:" + "a" * 64, adapter="acme/ink", weight=1.0, trigger="ink style")
OLD = replace(INK, digest="sha256:" + "b" * 64, trigger="inky")
SIDES = {Side.CANDIDATE: INK, Side.AGAINST: OLD, Side.BASE: Worn()}


def grid_with(*prompts: GridPrompt, **changes: object) -> Grid:
    """Return a grid that begins with these prompts."""
    others = (GridPrompt(text=f"filler {number}") for number in range(12))
    settings = {"steps": 4, "width": 64, "height": 64, "guidance_scale": 5.0, "seeds": (3,)}
    said = {"name": "small", "prompts": (*prompts, *others), **settings, **changes}
    return Grid(**said)  # type: ignore[arg-type]


def cell_of(
    text: str,
    *,
    class_word: str = "",
    worn: Worn = INK,
    origin: str = "x",
    sampler: str = "ddim",
    **changes: object,
) -> Cell:
    """Return the cell of one prompt and seed."""
    grid = grid_with(GridPrompt(text=text, class_word=class_word), **changes)
    sides = {**SIDES, Side.CANDIDATE: worn}
    return cells_of(grid, sides=sides, sampler=sampler, origin=origin)[0]


def test_each_side_has_its_trigger() -> None:
    """The placeholder is each release's own word; the base is asked without it."""
    pictures = cell_of("a star {trigger}").pictures

    assert pictures[Side.CANDIDATE].wanted.prompt == "a star ink style"
    assert pictures[Side.AGAINST].wanted.prompt == "a star inky"
    assert pictures[Side.BASE].wanted.prompt == "a star"


def test_base_is_asked_for_the_class() -> None:
    """Of a subject the base is asked for what kind of thing it is."""
    pictures = cell_of("a {trigger} on grass", class_word="dog").pictures

    assert pictures[Side.BASE].wanted.prompt == "a dog on grass"


def test_cells_go_prompt_by_prompt() -> None:
    """Every prompt is drawn with every seed, and every side with that seed."""
    cells = cells_of(grid_with(seeds=(1, 2)), sides=SIDES, sampler="ddim", origin="x")

    assert [(cell.prompt, cell.seed) for cell in cells[:4]] == [(0, 1), (0, 2), (1, 1), (1, 2)]
    assert all(one.seed == cell.seed for cell in cells for one in cell.pictures.values())


def test_exact_release_is_asked_for() -> None:
    """What is drawn is pinned by digest, whatever channels do meanwhile."""
    (wanted,) = cell_of("a").pictures[Side.CANDIDATE].worn.stack

    assert wanted.ref == f"acme/ink@{INK.digest}"
    assert wanted.weight == 1.0


@pytest.mark.parametrize(
    "other",
    [
        cell_of("b"),
        cell_of("a", worn=replace(INK, weight=1.6)),
        cell_of("a", worn=OLD),
        cell_of("a", steps=5),
        cell_of("a", sampler="euler"),
        cell_of("a", negative_prompt="blurry"),
        cell_of("a", origin="y"),
    ],
)
def test_key_holds_all_that_shapes(other: Cell) -> None:
    """Whatever makes another picture makes another key."""
    assert other.pictures[Side.CANDIDATE].key != cell_of("a").pictures[Side.CANDIDATE].key


def test_base_serves_every_release() -> None:
    """The base's picture of a prompt is the same whatever release it is drawn beside."""
    one, other = cell_of("a {trigger}"), cell_of("a {trigger}", worn=OLD)

    assert one.pictures[Side.BASE].key == other.pictures[Side.BASE].key
