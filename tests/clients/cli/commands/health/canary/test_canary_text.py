# SPDX-License-Identifier: Apache-2.0
"""What is said of a canary."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from tabard import Canary, CanaryPair, CanaryStream
from tabard.cli.commands.health.canary.canary_text import canary_text, row_of
from tabard.cli.layout import lines_of

ROLLED_BACK = Canary(
    adapter="acme/ink",
    channel="stable",
    candidate_version="1.1.0",
    candidate_digest="sha256:" + "a" * 64,
    baseline_version="1.0.0",
    baseline_digest="sha256:" + "b" * 64,
    is_promoted=True,
    is_open=False,
    share=0.0,
    shares=(),
    promote_on_success=False,
    started_by="ann",
    started_at="2026-01-01T00:00:00Z",
    seq=7,
    verdict="rolled_back",
    said="worse than what it replaces",
    judged_by="server",
    judged_at="2026-01-01T00:10:00Z",
    judged_seq=12,
    e_value=170.5,
    e_value_bound=100.0,
    losses=11,
    units=11,
    units_max=200,
    streams=(CanaryStream(name="soft", losses=11, units=11, e_value=341.2),),
    worst=(
        CanaryPair(
            unit="c" * 64, difference=None, candidate_is_broken=True, baseline_is_broken=False
        ),
        CanaryPair(
            unit="d" * 64, difference=-0.8, candidate_is_broken=False, baseline_is_broken=False
        ),
    ),
)


def said(canary: Canary) -> str:
    """All that is said, in one line."""
    lines = (line for part in canary_text(canary) for line in lines_of(part, columns=200))
    return " ".join(re.sub(r"\x1b\[\d+m", "", " ".join(lines)).split())


@pytest.mark.parametrize(
    "words",
    [
        "compared with 1.0.0",
        "all callers: the channel pointed to it when the canary started",
        "E 170; 100 rolls it back",
        "11 lost of 11 judged, at most 200",
        "soft 11 11 341",
        "cccccccccccc candidate",
        "dddddddddddd -0.80",
        "what callers write is not kept",
        "tabard compare acme/ink@1.0.0 acme/ink@1.1.0 --prompts FILE",
        "verdict: Rolled back worse than what it replaces (server, seq 12)",
        "Scores inform; a person decides.",
    ],
)
def test_rollback_is_told_with_its_figures(words: str) -> None:
    """Everything that it says has its place."""
    assert words in said(ROLLED_BACK)


def test_nothing_seen_has_no_hint() -> None:
    """Where there is no worst prompt, nothing is said of looking at it."""
    assert "tabard compare" not in said(replace(ROLLED_BACK, worst=()))


@pytest.mark.parametrize(
    ("promotes", "words"), [(True, "moves to it by itself"), (False, "people promote it")]
)
def test_success_is_said_to_promote_or_not(promotes: bool, words: str) -> None:
    """While it is open and the channel is elsewhere."""
    begun = replace(ROLLED_BACK, is_open=True, is_promoted=False, verdict="")

    assert words in said(replace(begun, promote_on_success=promotes))
    assert "on success" not in said(ROLLED_BACK)


def test_inconclusive_asks_people() -> None:
    """It never says that it is good."""
    held = replace(ROLLED_BACK, verdict="inconclusive", said="no scorer", is_open=True)

    assert "Inconclusive no scorer" in said(held)
    assert "promote, roll back, or stop the canary" in said(held)


def test_row_holds_share_and_verdict() -> None:
    """As a table has them."""
    exposed = replace(ROLLED_BACK, verdict="", share=0.25, is_open=True)

    assert row_of(exposed)[4:] == ("25%", "170", "11 of 11", "open")
    assert row_of(ROLLED_BACK)[-1] == "rolled back"
