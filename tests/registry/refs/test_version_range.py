# SPDX-License-Identifier: Apache-2.0
"""Versions, ranges and refs against second opinions: rules written once more, in another way."""

from __future__ import annotations

import re
from functools import cmp_to_key

from hypothesis import given, settings
from hypothesis import strategies as st

from tabard_registry import AdapterRef, Version
from tabard_registry.errors import InvalidName
from tabard_registry.refs.version_range import VersionRange

numbers = st.integers(0, 3)
identifiers = st.sampled_from(["0", "1", "2", "10", "alpha", "beta", "rc", "a-b", "0a", "-", "A"])
tails = st.lists(identifiers, max_size=3).map(lambda parts: "-" + ".".join(parts) if parts else "")
version_texts = st.builds("{}.{}.{}{}".format, numbers, numbers, numbers, tails)
plain_partials = st.one_of(
    st.builds("{}".format, numbers),
    st.builds("{}.{}".format, numbers, numbers),
    version_texts,
)
wild_partials = st.one_of(
    st.builds("{}.{}".format, numbers, st.sampled_from("xX*")),
    st.builds("{}.{}.{}".format, numbers, numbers, st.sampled_from("xX*")),
    st.builds("{}.x.x".format, numbers),
)
comparators = st.one_of(
    st.builds(
        "{}{}".format, st.sampled_from(["^", "~", ">=", ">", "<=", "<", "=", ""]), plain_partials
    ),
    st.builds("{}{}".format, st.sampled_from(["^", "~", "=", ""]), wild_partials),
    st.sampled_from(["*", "x"]),
)
final_comparators = comparators.filter(lambda text: "-" not in text)
ordered_comparators = st.builds(
    "{}{}".format, st.sampled_from([">=", ">", "<=", "<"]), version_texts
)
# Pre-releases of the version at which a caret ends are asked for and ruled out at once by ranges
# like `^1.2,>=2.0.0-rc`: nobody writes them, and no rule says which part holds.
range_texts = st.one_of(
    comparators,
    st.lists(final_comparators, min_size=2, max_size=3).map(",".join),
    st.lists(ordered_comparators, min_size=2, max_size=3).map(",".join),
)


def compare(left: str, right: str) -> int:
    """Section 11 of semver.org, step by step."""
    (left_core, _, left_tail), (right_core, _, right_tail) = (
        left.partition("-"),
        right.partition("-"),
    )
    for one, other in zip(left_core.split("."), right_core.split("."), strict=True):
        if int(one) != int(other):
            return -1 if int(one) < int(other) else 1
    if not left_tail or not right_tail:
        return bool(right_tail) - bool(left_tail)
    return _compare_tails(left_tail.split("."), right_tail.split("."))


def _compare_tails(left: list[str], right: list[str]) -> int:
    for one, other in zip(left, right, strict=False):
        if one == other:
            continue
        if one.isdigit() and other.isdigit():
            return -1 if int(one) < int(other) else 1
        if one.isdigit() != other.isdigit():
            return -1 if one.isdigit() else 1
        return -1 if one.encode() < other.encode() else 1
    return (len(left) > len(right)) - (len(left) < len(right))


def admits(comparator: str, version: str) -> bool:
    """What npm says of one comparator, told by the numbers that have to agree."""
    operator, core, tail = re.fullmatch(r"([\^~<>=]*)([^-]*)(-.*)?", comparator).groups()  # type: ignore[union-attr]
    given_numbers = [int(part) for part in core.split(".") if part.isdigit()]
    have = [int(part) for part in version.partition("-")[0].split(".")]
    is_whole = len(given_numbers) == 3
    order = (
        compare(version, core + (tail or ""))
        if is_whole
        else (have[: len(given_numbers)] > given_numbers)
        - (have[: len(given_numbers)] < given_numbers)
    )
    match operator:
        case ">=" | ">" | "<=" | "<":
            return order in {">=": (0, 1), ">": (1,), "<=": (-1, 0), "<": (-1,)}[operator]
        case "^":
            leading = next((i for i, n in enumerate(given_numbers) if n), len(given_numbers) - 1)
        case "~":
            leading = min(1, len(given_numbers) - 1)
        case _:
            return order == 0
    return order >= 0 and have[: leading + 1] == given_numbers[: leading + 1]


def range_admits(text: str, version: str) -> bool:
    """All comparators admit it, and a pre-release is asked for by name."""
    core, dash, _ = version.partition("-")
    named = [re.sub(r"^[\^~<>=]+", "", comparator) for comparator in text.split(",")]
    is_asked_for = not dash or any(name.startswith(f"{core}-") for name in named)
    return is_asked_for and all(admits(comparator, version) for comparator in text.split(","))


@given(st.lists(version_texts, max_size=12))
def test_versions_sort_as_semver_says(texts: list[str]) -> None:
    """The order of versions is that of section 11, written once more."""
    wanted = sorted(texts, key=cmp_to_key(compare))

    assert [str(version) for version in sorted(map(Version.parse, texts))] == wanted


@settings(max_examples=300)
@given(range_texts, version_texts)
def test_ranges_admit_what_npm_admits(text: str, version: str) -> None:
    """A range admits a version when its comparators, read one by one, do."""
    assert VersionRange.parse(text).admits(Version.parse(version)) == range_admits(text, version)


@given(range_texts, version_texts)
def test_range_survives_its_text(text: str, version: str) -> None:
    """A range means the same after it was written and read again."""
    found = VersionRange.parse(text)

    again = VersionRange.parse(str(found))

    assert again == found
    assert again.admits(Version.parse(version)) == found.admits(Version.parse(version))


@given(range_texts, st.sampled_from(["", ":0.5", ":-1"]))
def test_ref_with_range_survives_its_text(text: str, weight: str) -> None:
    """A ref with a range, perhaps with a weight, is what its text says, or is refused."""
    try:
        found = AdapterRef.parse(f"acme/ink@{text}{weight}")
    except InvalidName as error:
        assert error.hint
    else:
        assert AdapterRef.parse(str(found)) == found


@given(st.text(alphabet="0123x*X^~<>=,.- rc:@", max_size=16))
def test_any_text_is_a_range_or_refused(text: str) -> None:
    """No text makes anything but a range or an InvalidName with a hint."""
    try:
        VersionRange.parse(text)
    except InvalidName as error:
        assert error.hint
