# SPDX-License-Identifier: Apache-2.0
"""Sides name what they wear, and write prompts with their own words."""

from tabard.health.compared import ComparisonPlan, ComparisonSide

DIGEST = "sha256:" + "a" * 64
INK = ComparisonSide(
    ref="acme/ink", adapter="acme/ink", version="1.0.0", digest=DIGEST, weight=0.8, word="inkstyle"
)
BASE = ComparisonSide(ref="")


def test_side_is_pinned_to_its_digest() -> None:
    """What is drawn does not change when a channel moves; a word has no weight to say."""
    word = ComparisonSide(ref="acme/w", adapter="acme/w", version="2.0.0", digest=DIGEST)

    assert INK.stack == (f"acme/ink@{DIGEST}:0.8",)
    assert word.stack == (f"acme/w@{DIGEST}",)
    assert BASE.stack == ()


def test_label_says_release_and_weight() -> None:
    """People read versions, and the weight where there is one."""
    word = ComparisonSide(ref="acme/w", adapter="acme/w", version="2.0.0", digest=DIGEST)

    assert [one.label for one in (INK, word, BASE)] == [
        "acme/ink 1.0.0 at 0.8",
        "acme/w 2.0.0",
        "base",
    ]


def test_prompt_takes_own_trigger() -> None:
    """The placeholder becomes each side's own word; without one, nothing is left of it."""
    assert INK.prompt("a cat, {trigger}, on grass") == "a cat, inkstyle, on grass"
    assert INK.prompt("{trigger}, a cat") == "inkstyle, a cat"
    for text in ("a cat {trigger}, on grass", "a cat, {trigger}, on grass",
                 "{trigger}, a cat, on grass", "a {trigger} cat, on grass, {trigger}"):  # fmt: skip
        assert BASE.prompt(text) == "a cat, on grass"


def test_sides_stand_together() -> None:
    """Cells go prompt by prompt and seed by seed, the sides of each beside each other."""
    plan = ComparisonPlan(sides=(BASE, INK), prompts=("p", "q"), seeds=(1, 2))

    found = [(one.template, one.seed, one.side.label) for one in plan.cells]

    assert found[:3] == [("p", 1, "base"), ("p", 1, "acme/ink 1.0.0 at 0.8"), ("p", 2, "base")]
    assert len(set(plan.cells)) == 8
