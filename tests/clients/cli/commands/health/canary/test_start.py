# SPDX-License-Identifier: Apache-2.0
"""`tabard canary start`."""

from __future__ import annotations

import pytest

from tests.clients.cli.commands.health.canary.conftest import REF
from tests.clients.cli.conftest import Tabard


@pytest.mark.parametrize("share", ["10%", "0.1", " 10 % "])
def test_share_is_said_either_way(tried: Tabard, share: str) -> None:
    """As a percentage or a part."""
    ran = tried("canary", "start", REF, "--share", share.replace(" ", ""), "--json")

    assert ran.code == 0
    assert ran.document["shares"] == [0.1, 0.25, 0.5]
    assert ran.document["share"] == 0.0


@pytest.mark.parametrize("share", ["0", "100%", "1", "-5%", "some", "nan"])
def test_no_share_is_refused(tried: Tabard, share: str) -> None:
    """All and nobody are no canary."""
    ran = tried("canary", "start", REF, f"--share={share}")

    assert ran.code == 2
    assert "no share of the callers" in ran.err


def test_start_says_what_is_compared(tried: Tabard) -> None:
    """In words, with the figures that it begins with, and who decides."""
    ran = tried("canary", "start", REF, "--shadow", "--reason", "warmer paper")

    said = " ".join(ran.out.split())
    assert ran.code == 0
    assert "acme/ink 1.1.0 on stable" in said
    assert "compared with 1.0.0" in said
    assert "0% of the callers; pairs alone" in said
    assert "E 1; 100 rolls it back" in said
    assert "Scores inform; a person decides." in said


def test_shadow_takes_no_share(tried: Tabard) -> None:
    """It exposes nobody."""
    ran = tried("canary", "start", REF, "--shadow", "--share", "5%")

    assert ran.code == 2
    assert "--share" in ran.err


def test_refusal_says_what_to_do(tried: Tabard) -> None:
    """Of what has nothing to be compared with."""
    ran = tried("canary", "start", "acme/ink@1.0.0")

    assert ran.code != 0
    assert "Promote a release there first" in ran.err
