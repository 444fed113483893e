# SPDX-License-Identifier: Apache-2.0
"""From refs, weights, prompts and seeds to a plan; what cannot be drawn is refused at once."""

from dataclasses import replace
from typing import Any

import pytest

from tabard.calls.call import Caller
from tabard.calls.generation import GENERATE_TIMEOUT_SECONDS
from tabard.calls.health.compare import CELLS_MAX, SEEDS, Wish, compare
from tabard.calls.health.grid_drawing import grid_drawing
from tabard.errors import InvalidArgument
from tabard.releases.release import Release
from tests.clients.calls.health.pets import GRID

CALLER = Caller(actor="ann", new_id=lambda: "1")


def release(version: str = "1.0.0", *, kind: str = "lora", words: tuple[str, ...] = ()) -> Release:
    return Release(
        adapter="acme/ink", version=version, digest=f"sha256:{version}", kind=kind, purpose="",
        base_family="sd1", base_fingerprint="", trigger_words=words, rank=4, target_count=1,
        original_bytes=1, dialect="peft", notes="", licence="", training={}, seq=1,
        published_at="", published_by="ann", yanked=False, yank_reason="", parent_digest="",
    )  # fmt: skip


def wish(*refs: str, **changes: Any) -> Wish:
    return compare(CALLER, refs, **({"prompts": "a cat {trigger}"} | changes))


def test_every_weight_is_a_side() -> None:
    """The base comes first; a ref that says its own weight is worn at that alone."""
    wanted = wish("acme/ink@1.0.0", "acme/ink@1.1.0:0.7", weights=(0.6, 0.8), base=True)

    plan = wanted.plan([release("1.0.0"), release("1.1.0")])

    assert wanted.refs == ("acme/ink@1.0.0", "acme/ink@1.1.0")
    assert [(one.version, one.weight) for one in plan.sides] == [
        ("", None),
        ("1.0.0", 0.6),
        ("1.0.0", 0.8),
        ("1.1.0", 0.7),
    ]
    assert plan.seeds == SEEDS


def test_digest_is_no_weight() -> None:
    """The colon of a digest begins none."""
    pinned = "acme/ink@sha256:" + "a" * 64

    assert wish(pinned).refs == (pinned,)
    assert wish(f"{pinned}:0.5").weights == ((0.5,),)


def test_same_release_is_one_side() -> None:
    """Two refs that mean the same are drawn once."""
    plan = wish("acme/ink", "acme/ink@1.0.0").plan([release(), release()])

    assert len(plan.sides) == 1


def test_textual_inversion_is_one_side() -> None:
    """A word has no weight; whatever is asked of the others, it is drawn once."""
    word = release(kind="textual_inversion", words=("<ink>",))

    plan = wish("acme/ink", weights=(0.6, 1.0)).plan([word])

    assert [(one.weight, one.prompt("a {trigger}")) for one in plan.sides] == [(None, "a <ink>")]


def test_recipe_is_woken_by_all_words_of_its_members() -> None:
    """The first alone would leave the others asleep."""
    both = release(kind="recipe", words=("inky", "<wash>"))

    plan = wish("acme/ink", prompts="a cat, {trigger}").plan([both])

    assert [one.prompt for one in plan.cells] == ["a cat, inky, <wash>"] * len(plan.cells)


def test_prompt_without_its_word_is_refused() -> None:
    """A word that no prompt names would do nothing."""
    word = release(kind="textual_inversion", words=("<ink>",))

    wish("acme/ink", prompts="a cat of <ink>").plan([word])
    with pytest.raises(InvalidArgument, match="a cat") as caught:
        wish("acme/ink", prompts=["{trigger}", "a cat"]).plan([word])

    assert caught.value.reason == "TRIGGER_MISSING"
    assert [one.field for one in caught.value.violations] == ["prompts"]


def test_base_draws_its_class() -> None:
    """What kind of thing a subject is stands where its word would."""
    plan = wish("acme/ink", base=True, class_word="dog").plan([release(words=("sks",))])

    assert [one.prompt for one in plan.cells[:2]] == ["a cat dog", "a cat sks"]


@pytest.mark.parametrize(
    ("refs", "changes", "field"),
    [
        ((), {}, "refs"),
        (("acme/ink",), {"prompts": []}, "prompts"),
        (("acme/ink",), {"seeds": []}, "seeds"),
        (("acme/ink",), {"weights": []}, "weights"),
    ],
)
def test_nothing_to_draw_is_refused(refs: tuple[str, ...], changes: Any, field: str) -> None:
    """Whatever lacks is named."""
    with pytest.raises(InvalidArgument) as caught:
        wish(*refs, **changes)

    assert caught.value.reason == "COMPARISON_EMPTY"
    assert [one.field for one in caught.value.violations] == [field]


def test_too_much_is_refused() -> None:
    """All images of a comparison are counted before any is drawn."""
    seeds = range(CELLS_MAX // 4)

    wish("acme/ink", seeds=seeds, weights=(1, 2, 3), base=True)
    with pytest.raises(InvalidArgument) as caught:
        wish("acme/ink", seeds=seeds, weights=(1, 2, 3, 4), base=True)

    assert caught.value.reason == "COMPARISON_TOO_LARGE"


def test_weight_that_is_no_number_is_refused() -> None:
    """Before anything is resolved."""
    with pytest.raises(InvalidArgument) as caught:
        wish("acme/ink:strong")

    assert caught.value.reason == "INVALID_WEIGHT"


PETS = grid_drawing(GRID)


def test_grid_says_what_is_left_out() -> None:
    """Its prompts, seeds and drawing; what is said besides counts instead."""
    whole = wish("acme/ink", prompts=(), grid="pets").along(PETS)
    part = wish("acme/ink", prompts=(), grid="pets", seeds=(1,), width=128).along(PETS)
    own = wish("acme/ink", grid="pets").along(PETS)

    assert (whole.prompts, whole.seeds) == (PETS.prompts, PETS.seeds)
    assert whole.options == {**PETS.options, "timeout_seconds": GENERATE_TIMEOUT_SECONDS}
    assert (part.seeds, part.options["width"], part.options["height"]) == ((1,), 128, 96)
    assert (own.prompts, own.seeds) == (("a cat {trigger}",), PETS.seeds)


def test_base_draws_the_class_of_each_prompt() -> None:
    """As when a release is judged; a word that was said counts for all."""
    sks = release(words=("sks",))
    judged = wish("acme/ink", prompts=(), grid="pets", base=True).along(PETS).plan([sks])
    said = wish("acme/ink", prompts=(), grid="pets", base=True, class_word="cat").along(PETS)

    drawn = [cell.prompt for cell in judged.cells if cell.seed == 7]
    assert drawn[:4] == ["a dog in a forest", "a sks in a forest", "a at sea", "a sks at sea"]
    assert said.plan([sks]).cells[0].prompt == "a cat in a forest"


def test_word_draws_no_controls() -> None:
    """They do not name it, so that it would do nothing there."""
    word = release(kind="textual_inversion", words=("<ink>",))
    wanted = wish("acme/ink", prompts=(), grid="pets").along(PETS)

    assert wanted.plan([word]).prompts == PETS.prompts[:2]
    assert wanted.plan([release()]).prompts == PETS.prompts


def test_grid_that_draws_too_much_is_refused() -> None:
    """Once it is known."""
    large = replace(PETS, seeds=tuple(range(CELLS_MAX)))

    wanted = wish("acme/ink", prompts=(), grid="pets")
    with pytest.raises(InvalidArgument) as caught:
        wanted.along(large)

    assert caught.value.reason == "COMPARISON_TOO_LARGE"
