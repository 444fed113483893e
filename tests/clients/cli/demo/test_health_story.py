# SPDX-License-Identifier: Apache-2.0
"""How the story of release health is told; that it happens is tested on the demo base."""

from tabard.cli.demo.health_story import told_canary, told_score
from tests.clients.cli.demo.told_health import told_health


def test_scores_are_told_with_what_they_mean() -> None:
    """A number, a count, or why there is none."""
    result = told_health().evaluation

    assert told_score(result, "style") == "style: 0.80: what it is"
    assert told_score(result, "broken") == "broken: 12 of 60: what it is"
    assert told_score(result, "drift") == "drift: not checked, no controls"


def test_canary_is_told_with_its_evidence() -> None:
    """E, losses of units, and what the channel serves again."""
    said = told_canary(told_health().canary)

    assert said == ("rolled back by itself: E = 112, 18 of 21 prompts lost; stable is 1.0.0 again")
