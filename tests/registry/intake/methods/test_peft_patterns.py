# SPDX-License-Identifier: Apache-2.0
"""Patterns mean what they mean to PEFT, for whichever names the writer's models had."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from peft.utils.other import get_pattern_key

from tabard_registry.intake.methods.peft_patterns import BadPatterns, exceptions_of, is_number

PARTS = st.sampled_from(["aa", "bb", "cc", "0", "1"])
NAMES = st.lists(PARTS, min_size=1, max_size=5).map(".".join)
MODULES = [("x.attn1.to_q",), ("x.attn2.to_q",), ("x.attn1.to_k",)]


@st.composite
def patterns(draw: st.DrawFn) -> str:
    """A name as people write it: anchored or not, dots escaped or not."""
    parts = draw(st.lists(PARTS, min_size=1, max_size=3))
    name = draw(st.sampled_from([".", r"\."])).join(parts)
    return draw(st.sampled_from(["", "^"])) + name + draw(st.sampled_from(["", "$"]))


@given(
    table=st.dictionaries(patterns(), st.integers(1, 99), max_size=4),
    names=st.lists(NAMES, min_size=1, max_size=6, unique=True),
)
def test_exceptions_are_those_of_peft(table: dict[str, int], names: list[str]) -> None:
    """Module by module what PEFT's own search finds; refused where it would find nothing at all."""
    expected = {n: table[key] for n in names if (key := get_pattern_key(table, n)) in table}
    is_idle = any(not any(get_pattern_key([p], n) == p for n in names) for p in table)
    modules = [(name,) for name in names]

    try:
        found = exceptions_of(table, modules=modules, field="rank_pattern", may_overlap=True)
    except BadPatterns:
        assert is_idle
    else:
        assert (found, is_idle) == (expected, False)


@pytest.mark.parametrize(
    "pattern", ["to_q", "attn1.to_q", r"attn1\.to_q", "^x.attn1.to_q", r"^x\.attn1\.to_q$"]
)
def test_name_is_found_however_it_is_written(pattern: str) -> None:
    """Whole, by its end, anchored, escaped."""
    found = exceptions_of({pattern: 4}, modules=MODULES, field="alpha_pattern")

    assert found["x.attn1.to_q"] == 4.0


def test_any_name_of_a_module_counts() -> None:
    """The writer's transformers may have had another name; the exception goes to ours."""
    modules = [("text_model.encoder.q", "encoder.q"), ("text_model.encoder.k", "encoder.k")]

    older = exceptions_of({"^text_model.encoder.q": 4}, modules=modules, field="alpha_pattern")
    newer = exceptions_of({"^encoder.q": 4}, modules=modules, field="alpha_pattern")

    assert older == newer == {"text_model.encoder.q": 4.0}


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"attn9.to_q": 4}, "'attn9.to_q', which is no layer"),
        ({"^attn1.to_q": 4}, "which is no layer"),
        ({"to_": 4}, "which is no layer"),
        ({"to_q": 4, "nothing": 5}, "'nothing', which is no layer"),
        ({".*to_q": 4}, "the regular expression '.*to_q'"),
        ({"(a+)+$": 4}, "the regular expression"),
        ({"to_[qk]": 4}, "the regular expression"),
        ({"to_q": None}, "no number for 'to_q'"),
        ({"to_q": True}, "no number for 'to_q'"),
        ({"to_q": 10**400}, "no number for 'to_q'"),
        ("to_q", "is not a table"),
    ],
)
def test_entry_that_is_no_exception_is_refused(table: Any, words: str) -> None:
    """Nothing falls back to the alpha of all: the entry is named, and what is wrong with it."""
    with pytest.raises(BadPatterns) as refused:
        exceptions_of(table, modules=MODULES, field="alpha_pattern")

    assert words in str(refused.value) and "alpha_pattern" in str(refused.value)


def test_two_names_with_two_answers_are_refused() -> None:
    """Which names the writer's models had cannot be both."""
    modules = [("text_model.q", "q")]

    with pytest.raises(BadPatterns, match="says two things of text_model"):
        exceptions_of({"^text_model.q": 4, "^q": 5}, modules=modules, field="alpha_pattern")


@pytest.mark.parametrize("table", [{"to_q": 4, "attn1.to_q": 5}, {"attn1.to_q": 5, "to_q": 4}])
def test_two_patterns_with_two_answers_are_refused(table: dict[str, int]) -> None:
    """PEFT sorts tables when it saves: which was the first in the training is lost."""
    with pytest.raises(BadPatterns, match=r"says two things of x\.attn1\.to_q"):
        exceptions_of(table, modules=MODULES, field="alpha_pattern")


def test_two_patterns_with_one_answer_are_taken() -> None:
    """Their order changes nothing."""
    found = exceptions_of({"to_q": 4, "attn1.to_q": 4}, modules=MODULES, field="alpha_pattern")

    assert found == {"x.attn1.to_q": 4.0, "x.attn2.to_q": 4.0}


@pytest.mark.parametrize("value", [None, True, "1", float("nan"), float("inf"), 10**400, []])
def test_what_is_no_number(value: Any) -> None:
    """Only what can be computed with is a number."""
    assert not is_number(value)
