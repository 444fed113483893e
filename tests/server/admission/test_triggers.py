# SPDX-License-Identifier: Apache-2.0
"""Trigger words that are put into a prompt: where, which, and what brackets in them are."""

from dataclasses import replace
from typing import Any

import pytest

from tabard_registry.release.manifest import TokenVectors
from tabard_registry.release.sampling import Sampling
from tabard_registry.release.words import Words
from tabard_server.admission.triggers import (
    put_triggers,
    refuse_trigger,
    triggers_of,
    under_prompt,
)
from tabard_server.errors import InvalidRequest
from tabard_server.jobs.job import PutIn, Worn, WornRecipe
from tabard_server.jobs.words.controls import Controls
from tests.server.releases import release


def worn(name: str = "acme/ink", *words: str, **changes: Any) -> Worn:
    return Worn(ref=name, release=replace(release(name), trigger_words=words, **changes), weight=1)


INK, CAT = worn("acme/ink", "inky", "black lines"), worn("acme/cat", "sks cat", "inky")


def put(
    text: str, *stack: Worn, away: str = "", is_auto: bool = False, syntax: str = "plain"
) -> Any:
    prompt, left, found = put_triggers(text, away=away, worn=stack, is_auto=is_auto, syntax=syntax)
    assert left == away
    return prompt, found


def test_words_stand_where_the_prompt_says() -> None:
    """Those of all that is worn, each once, in the order of the stack, wherever it is said."""
    text, put_in = put("a {trigger} house, {trigger}", INK, CAT)

    words = "inky, black lines, sks cat"
    assert text == f"a {words} house, {words}"
    assert put_in == PutIn(
        prompt="a {trigger} house, {trigger}",
        is_auto=False,
        words=("inky", "black lines", "sks cat"),
    )


def test_word_of_a_region_with_a_prompt_is_not_put_into_the_other() -> None:
    """There the adapter is not worn; a region without one is drawn with the picture's."""
    ink, cat = (
        replace(one, controls=Controls(region=region))
        for one, region in ((INK, "left"), (CAT, "right"))
    )

    assert under_prompt((ink, cat), apart={"left"}) == (cat,)
    assert under_prompt((INK, ink), apart={"left"}) == (INK,)


def test_nothing_is_put_in_unasked() -> None:
    """The prompt is the caller's."""
    assert put("a house", INK) == ("a house", None)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a house", "inky, black lines, a house"),
        ("an INKY house", "black lines, an INKY house"),
        ("a pinky house", "inky, black lines, a pinky house"),
        ("inky, black lines", "inky, black lines"),
        ("", "inky, black lines"),
    ],
)
def test_auto_puts_in_front_what_lacks(text: str, found: str) -> None:
    """As whole words, in whatever case."""
    assert put(text, INK, is_auto=True)[0] == found


def test_auto_gives_way_to_a_place_that_is_said() -> None:
    """All words stand there, and none in front."""
    assert put("a {trigger} inky", INK, is_auto=True)[0] == "a inky, black lines inky"


def test_what_is_kept_away_from_is_not_put_in() -> None:
    """The word of an embedding that stands in the negative prompt stays there."""
    taught = (TokenVectors(token="badhands", component="text_encoder", count=2),)
    bad = worn("acme/bad", "badhands", tokens=taught)

    assert put("a house", INK, bad, away="BadHands, blur", is_auto=True)[0] == (
        "inky, black lines, a house"
    )
    assert put("{trigger} house", INK, bad, away="badhands")[0] == "inky, black lines house"
    assert put("a house", bad, away="badhandsome", is_auto=True)[0] == "badhands, a house"
    with pytest.raises(InvalidRequest):
        put("{trigger}", bad, away="badhands")


def test_words_go_where_their_author_made_them_for() -> None:
    """Into the negative prompt, where it lacks them; `{trigger}` is no place for them."""
    taught = (TokenVectors(token="badhands", component="text_encoder", count=2),)
    bad = worn("acme/bad", tokens=taught, sampling=Sampling(prompt="negative"))

    def drawn(text: str, away: str = "", *, is_auto: bool = True) -> Any:
        return put_triggers(text, away=away, worn=[INK, bad], is_auto=is_auto, syntax="plain")

    prompt, away, put_in = drawn("a house", "blur")
    assert (prompt, away) == ("inky, black lines, a house", "badhands, blur")
    assert (put_in.negative_prompt, put_in.negative_words) == ("blur", ("badhands",))
    assert drawn("a house", "some badhands")[1] == "some badhands"
    assert drawn("a house")[1] == "badhands"
    assert drawn("{trigger} house", is_auto=False)[:2] == ("inky, black lines house", "")


def test_auto_without_words_changes_nothing() -> None:
    """It is a wish; `{trigger}` is a word that must mean something."""
    assert put("a house", worn(), is_auto=True) == (
        "a house",
        PutIn(prompt="a house", is_auto=True, words=()),
    )
    for stack in ((), (worn(),)):
        with pytest.raises(InvalidRequest) as caught:
            put("a {trigger}", *stack)
        assert (caught.value.reason, caught.value.violations[0].field) == (
            "TRIGGER_NOT_WORN",
            "prompt",
        )
        assert "character 3" in str(caught.value)


def test_brackets_of_a_word_stay_letters() -> None:
    """In A1111's syntax they would weigh."""
    odd = worn("acme/odd", r"cat (black) [x] \o/")

    assert put("{trigger}", odd, syntax="a1111")[0] == r"cat \(black\) \[x\] \\o/"
    assert put("{trigger}", odd)[0] == r"cat (black) [x] \o/"


def test_amended_words_are_not_put_in() -> None:
    """What the manifest says counts: what is shown may change, and no picture with it."""
    edited = worn("acme/ink", "shown", published_words=Words(trigger_words=("inky",)))

    assert triggers_of([edited]) == ("inky",)


def test_recipe_says_its_own_words_and_taught_ones_are_never_lacking() -> None:
    """A word that an embedding teaches must stand in the prompt."""
    recipe = WornRecipe(release=replace(release("acme/mix"), trigger_words=("mixed",)), weight=1)
    taught = (TokenVectors(token="<plum>", component="text_encoder", count=1),)
    members = [
        replace(INK, recipe=recipe),
        replace(worn("acme/plum", "<plum>", tokens=taught), recipe=recipe),
    ]

    assert triggers_of(members) == ("mixed", "<plum>")


def test_negative_prompt_has_no_place_for_them() -> None:
    """A word that wakes a style is none to keep away from."""
    refuse_trigger("blur", field="negative_prompt")
    with pytest.raises(InvalidRequest) as caught:
        refuse_trigger("blur {trigger}", field="negative_prompt")

    assert caught.value.violations[0].field == "negative_prompt"
