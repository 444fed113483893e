# SPDX-License-Identifier: Apache-2.0
"""What scores mean: thresholds, the worst label, and no verdict where there is no number."""

import math
from collections.abc import Mapping
from typing import Any

import pytest

from tabard_server.safety.verdict import ScoresNotUsable, Verdict, judge
from tests.server.safety.classifiers import safety, scores


@pytest.mark.parametrize(
    ("sees", "label"),
    [
        (scores(nsfw=0.49, gore=0.89, drawing=1.0), ""),
        (scores(nsfw=0.5), "nsfw"),
        (scores(gore=0.9), "gore"),
        (scores(gore=0.95, nsfw=0.6), "gore"),
        (scores(gore=0.6, nsfw=0.55), "nsfw"),
    ],
)
def test_label_counts_from_its_threshold_on(sees: Mapping[str, float], label: str) -> None:
    """Of several that count, the one with the highest score is told."""
    found = judge(sees, settings=safety())

    wanted = {"action": "withheld", "score": sees[label]} if label else {"action": "passed"}
    assert found == Verdict(label=label, model="eye", **wanted)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("policy", "action"), [("flag", "flagged"), ("blur", "blurred"), ("withhold", "withheld")]
)
def test_policy_says_what_follows(policy: Any, action: str) -> None:
    """What was concluded is told with four digits."""
    found = judge(scores(nsfw=0.765432), settings=safety(policy))

    assert found.describe() == {
        "action": action,
        "label": "nsfw",
        "score": 0.7654,
        "model": "eye",
    }
    assert str(found) == f"{action} (nsfw 0.7654)"


@pytest.mark.parametrize(
    "sees",
    [
        scores(nsfw=math.nan),
        scores(drawing=math.nan),
        scores(gore=math.inf),
        {"nsfw": 0.1},
        {},
    ],
    ids=["NaN", "NaN elsewhere", "infinite", "one missing", "none"],
)
def test_no_number_is_no_verdict(sees: Mapping[str, float]) -> None:
    """NaN is below every threshold, and nothing to rely on."""
    with pytest.raises(ScoresNotUsable):
        judge(sees, settings=safety())
