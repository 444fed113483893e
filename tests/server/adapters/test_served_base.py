# SPDX-License-Identifier: Apache-2.0
"""Which base a server has, and what it says to whoever needs another one."""

import pytest

from tabard_server.adapters.served_base import ServedBase, named
from tabard_server.errors import NotServable

OWN = "sha256:" + "01" * 32
OTHER = "sha256:" + "02" * 32
LAX = ServedBase(family="sd1", fingerprint=OWN)
STRICT = ServedBase(family="sd1", fingerprint=OWN, is_strict=True)


@pytest.mark.parametrize("said", ["", OWN, OWN[7:], OWN[:19], OWN[7:19], f" {OWN} "])
def test_own_base_is_served(said: str) -> None:
    """By its fingerprint, or enough of it; who names none takes what is there."""
    LAX.require(said)


@pytest.mark.parametrize("said", [OTHER, OTHER[7:19], OWN[7:18], "sd1", "sha256:", OWN + "0", " "])
def test_another_base_is_refused(said: str) -> None:
    """Too few digits are none; the refusal says what is asked for, and what is here."""
    with pytest.raises(NotServable, match=r"sd1 010101010101") as caught:
        LAX.require(said)

    assert (caught.value.reason, caught.value.base) == ("BASE_NOT_HERE", said)


def test_release_of_another_family_is_refused() -> None:
    """By every server, with the base that it needs."""
    with pytest.raises(NotServable, match=r"is for sdxl 020202020202; .* sd1 0101") as caught:
        LAX.require_for("acme/ink", family="sdxl", fingerprint=OTHER)

    assert (caught.value.reason, caught.value.base) == ("BASE_FAMILY_MISMATCH", OTHER)


def test_release_of_the_family_is_drawn_where_that_is_enough() -> None:
    """A strict server draws what was checked against its own base, and nothing else."""
    LAX.require_for("acme/ink", family="sd1", fingerprint=OTHER)
    STRICT.require_for("acme/ink", family="sd1", fingerprint=OWN)
    with pytest.raises(NotServable) as caught:
        STRICT.require_for("acme/ink", family="sd1", fingerprint=OTHER)

    assert (caught.value.reason, caught.value.base) == ("RELEASE_OF_OTHER_BASE", OTHER)


def test_base_is_named_for_people() -> None:
    assert named("sd1", OWN) == "sd1 010101010101"
    assert named("sd1", "") == "sd1"
