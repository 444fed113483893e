# SPDX-License-Identifier: Apache-2.0
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabard_registry import AdapterName, AdapterRef, ByChannel, ByDigest, ByVersion, Version
from tabard_registry.errors import InvalidName
from tests.registry.refs.random_refs import refs


@given(refs)
def test_ref_survives_its_text(ref: AdapterRef) -> None:
    """Every ref is what its text says."""
    assert AdapterRef.parse(str(ref)) == ref


@given(st.text())
def test_any_text_parses_or_raises(text: str) -> None:
    """No text makes anything but a ref or an InvalidName with a hint."""
    try:
        found = AdapterRef.parse(text)
    except InvalidName as error:
        assert error.hint
    else:
        assert AdapterRef.parse(str(found)) == found


def test_plain_ref_means_stable() -> None:
    """A ref without a selector means the stable channel at weight one."""
    ref = AdapterRef.parse("acme/ink")

    assert (ref.selector, ref.weight) == (ByChannel("stable"), 1.0)


@pytest.mark.parametrize(
    ("text", "selector", "weight"),
    [
        ("acme/ink:0.8", ByChannel("stable"), 0.8),
        ("acme/ink@canary", ByChannel("canary"), 1.0),
        ("acme/ink@1.2.0:-1", ByVersion(Version.parse("1.2.0")), -1.0),
        ("acme/ink@sha256:" + "ab" * 6 + ":2", ByDigest("ab" * 6), 2.0),
        ("acme/ink@sha256:" + "ab" * 32, ByDigest("ab" * 32), 1.0),
    ],
)
def test_ref_reads_selector_and_weight(text: str, selector: object, weight: float) -> None:
    """Each form of the grammar is read."""
    ref = AdapterRef.parse(text)

    assert (ref.selector, ref.weight) == (selector, weight)


@pytest.mark.parametrize(
    ("text", "reason", "hint"),
    [
        ("ink", "INVALID_NAME", "acme/ink"),
        ("Acme/ink", "INVALID_NAME", "acme"),
        ("acme/Ink", "INVALID_NAME", "write 'acme/ink'"),
        ("acme/", "INVALID_NAME", "lower-case"),
        ("acme/ink/x", "INVALID_NAME", "lower-case"),
        ("acme/ink@", "INVALID_CHANNEL", "stable"),
        ("acme/ink@Stable", "INVALID_CHANNEL", "Did you mean `stable`?"),
        ("acme/ink@Stabel", "INVALID_CHANNEL", "Did you mean `stable`?"),
        ("acme/ink@Night Build", "INVALID_CHANNEL", "Did you mean `night-build`?"),
        ("acme/ink@1.2.3.4", "INVALID_VERSION", "1.2.0"),
        ("acme/ink@^x1", "INVALID_VERSION", "^1.2"),
        ("acme/ink@1.2.0+b", "INVALID_VERSION", "Build metadata"),
        ("acme/ink@sha256:abc", "INVALID_DIGEST", "12"),
        ("acme/ink:nan", "INVALID_WEIGHT", "4.0"),
        ("acme/ink:inf", "INVALID_WEIGHT", "4.0"),
        ("acme/ink:4.1", "INVALID_WEIGHT", "4.0"),
        ("acme/ink:", "INVALID_WEIGHT", "4.0"),
        ("acme/ink:1_0", "INVALID_WEIGHT", "4.0"),
        ("a" * 600, "INVALID_REF", "512"),
    ],
)
def test_wrong_ref_says_how(text: str, reason: str, hint: str) -> None:
    """Each wrong ref has a stable reason and a hint that helps."""
    with pytest.raises(InvalidName) as caught:
        AdapterRef.parse(text)

    assert caught.value.reason == reason
    assert hint in caught.value.hint


def test_weight_where_nothing_is_drawn_is_named() -> None:
    """A line has no weight; what is left without it is the right name."""
    with pytest.raises(InvalidName) as caught:
        AdapterName.parse("acme/ink:0.8")

    assert caught.value.hint.endswith("write 'acme/ink'.")


def test_release_where_a_line_is_meant_is_named() -> None:
    """As in a rollback, which says what it goes back to in another place."""
    with pytest.raises(InvalidName) as caught:
        AdapterName.parse("acme/ink@1.0.0")

    assert caught.value.hint.endswith("write 'acme/ink'.")


def test_wrong_weight_is_quoted_with_its_ref() -> None:
    """Among the members of a recipe it must be found."""
    with pytest.raises(InvalidName, match="invalid weight 'x' of 'acme/ink:x'"):
        AdapterRef.parse("acme/ink:x")


def test_weight_outside_range_is_refused() -> None:
    """A ref that exists has a weight that is allowed."""
    with pytest.raises(InvalidName, match="weight"):
        AdapterRef(adapter=AdapterName("acme", "ink"), weight=float("nan"))
