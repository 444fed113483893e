# SPDX-License-Identifier: Apache-2.0
import pytest
from hypothesis import given

from tabard_registry import Version
from tabard_registry.errors import InvalidName
from tests.registry.refs.random_refs import versions

ORDERED = [
    "0.0.1",
    "0.9.0",
    "1.0.0-alpha",
    "1.0.0-alpha.1",
    "1.0.0-alpha.beta",
    "1.0.0-beta",
    "1.0.0-beta.2",
    "1.0.0-beta.11",
    "1.0.0-rc.1",
    "1.0.0",
    "1.2.0",
    "1.10.0",
    "2.0.0",
]


def test_order_is_that_of_semver() -> None:
    """The example of semver.org section 11 is sorted as it says."""
    shuffled = sorted(map(Version.parse, reversed(ORDERED)))

    assert [str(version) for version in shuffled] == ORDERED


@given(versions)
def test_version_survives_its_text(version: Version) -> None:
    """Every version is what its text says."""
    assert Version.parse(str(version)) == version


@given(versions, versions, versions)
def test_order_is_total(a: Version, b: Version, c: Version) -> None:
    """Any two versions compare one way only, and order is transitive."""
    assert (a < b) + (b < a) + (a == b) == 1
    if a < b < c:
        assert a < c


@pytest.mark.parametrize(
    "text",
    ["", "1", "1.2", "1.2.3.4", "01.2.3", "1.2.3-", "1.2.3-01", "1.2.3+b", "v1.2.3", "1.2.3-a..b",
     "1.2.3 ", "1.2.3\n", "\uff11.2.3", "9" * 70 + ".0.0"],
)  # fmt: skip
def test_other_text_is_refused(text: str) -> None:
    """What is not SemVer without build metadata is refused with a hint."""
    with pytest.raises(InvalidName) as caught:
        Version.parse(text)

    assert caught.value.reason == "INVALID_VERSION"
    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "meant"),
    [("1", "1.0.0"), ("1.2", "1.2.0"), ("v1.2.3", "1.2.3"), ("01.2.3", "1.2.3"), ("V2", "2.0.0")],
)
def test_nearest_version_is_named(text: str, meant: str) -> None:
    """What a hand mistypes most is answered with what it meant."""
    with pytest.raises(InvalidName) as caught:
        Version.parse(text)

    assert caught.value.hint == f"Write `{meant}`."


def test_prerelease_says_so() -> None:
    """Only versions with a hyphen part are pre-releases."""
    assert Version.parse("1.0.0-rc.1").is_prerelease
    assert not Version.parse("1.0.0").is_prerelease
