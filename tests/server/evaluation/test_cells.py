# SPDX-License-Identifier: Apache-2.0
"""Cells of a grid: the same prompt and seed for every side, known by all that shapes a picture."""

from dataclasses import replace

import pytest

from tabard_server.evaluation.cells import Cell, Drawn, Prompt, Side, Worn, cells_of

DRAWN = Drawn(negative_prompt="", steps=4, guidance_scale=5.0, width=64, height=64, sampler="ddim")
INK = Worn(digest="sha256:" + "a" * 64, adapter="acme/ink", weight=1.0, trigger="ink style")
OLD = replace(INK, digest="sha256:" + "b" * 64, trigger="inky")
SIDES = {Side.CANDIDATE: INK, Side.AGAINST: OLD, Side.BASE: Worn()}


def only_cell(prompt: Prompt, *, worn: Worn = INK, drawn: Drawn = DRAWN, origin: str = "x") -> Cell:
    """Return the cell of one prompt and seed."""
    sides = {**SIDES, Side.CANDIDATE: worn}
    (cell,) = cells_of([prompt], seeds=[3], drawn=drawn, sides=sides, origin=origin)
    return cell


def test_each_side_has_its_trigger() -> None:
    """The placeholder is each release's own word; the base is asked without it."""
    pictures = only_cell(Prompt(text="a star, {trigger}")).pictures

    assert pictures[Side.CANDIDATE].wanted.prompt == "a star, ink style"
    assert pictures[Side.AGAINST].wanted.prompt == "a star, inky"
    assert pictures[Side.BASE].wanted.prompt == "a star,"


def test_base_is_asked_for_the_class() -> None:
    """Of a subject the base is asked for what kind of thing it is."""
    pictures = only_cell(Prompt(text="a {trigger} on grass", class_word="dog")).pictures

    assert pictures[Side.BASE].wanted.prompt == "a dog on grass"


def test_cells_go_prompt_by_prompt() -> None:
    """Every prompt is drawn with every seed, and every side with that seed."""
    prompts = [Prompt(text="a"), Prompt(text="b")]

    cells = cells_of(prompts, seeds=[1, 2], drawn=DRAWN, sides=SIDES, origin="x")

    assert [(cell.prompt, cell.seed) for cell in cells] == [(0, 1), (0, 2), (1, 1), (1, 2)]
    assert all(one.seed == cell.seed for cell in cells for one in cell.pictures.values())


def test_exact_release_is_asked_for() -> None:
    """What is drawn is pinned by digest, whatever channels do meanwhile."""
    (wanted,) = only_cell(Prompt(text="a")).pictures[Side.CANDIDATE].worn.stack

    assert wanted.ref == f"acme/ink@{INK.digest}"
    assert wanted.weight == 1.0


@pytest.mark.parametrize(
    "other",
    [
        only_cell(Prompt(text="b")),
        only_cell(Prompt(text="a"), worn=replace(INK, weight=1.6)),
        only_cell(Prompt(text="a"), worn=OLD),
        only_cell(Prompt(text="a"), drawn=replace(DRAWN, steps=5)),
        only_cell(Prompt(text="a"), drawn=replace(DRAWN, sampler="euler")),
        only_cell(Prompt(text="a"), drawn=replace(DRAWN, negative_prompt="blurry")),
        only_cell(Prompt(text="a"), origin="y"),
    ],
)
def test_key_holds_all_that_shapes(other: Cell) -> None:
    """Whatever makes another picture makes another key."""
    cell = only_cell(Prompt(text="a"))

    assert other.pictures[Side.CANDIDATE].key != cell.pictures[Side.CANDIDATE].key


def test_base_serves_every_release() -> None:
    """The base's picture of a prompt is the same whatever release it is drawn beside."""
    one = only_cell(Prompt(text="a, {trigger}"))
    other = only_cell(Prompt(text="a, {trigger}"), worn=OLD)

    assert one.pictures[Side.BASE].key == other.pictures[Side.BASE].key
