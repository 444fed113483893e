# SPDX-License-Identifier: Apache-2.0
"""What a classifier's scores mean by the settings: pure, no model and no pixels.

In: scores by label, labels with thresholds, a policy. Out: a verdict.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tabard_server.safety.settings import Policy, SafetySettings

Action = Literal["passed", "flagged", "blurred", "withheld"]
"""What became of a picture."""
_ACTIONS: Mapping[Policy, Action] = {"flag": "flagged", "blur": "blurred", "withhold": "withheld"}
_DIGITS = 4


class ScoresNotUsable(ValueError):
    """A label that counts has no score, or one that is no number: nothing can be concluded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was concluded of one picture.

    Attributes:
        action: What became of it.
        label: What counted, the highest score of it; empty: nothing did.
        score: Its score; 0 where nothing counted.
        model: Name of the model's folder.
    """

    action: Action
    label: str = ""
    score: float = 0.0
    model: str = ""

    def describe(self) -> dict[str, Any]:
        """Return it as provenance has it."""
        told: dict[str, Any] = {"action": self.action, "model": self.model}
        return told | {"label": self.label, "score": self.score} if self.label else told

    def __str__(self) -> str:
        return f"{self.action} ({self.label} {self.score:g})" if self.label else self.action


def judge(scores: Mapping[str, float], *, settings: SafetySettings) -> Verdict:
    """Conclude what becomes of a picture.

    Raises:
        ScoresNotUsable: Nothing can be concluded; NaN is above no threshold, and harmless neither.
    """
    found = {one.label: scores.get(one.label, math.nan) for one in settings.labels}
    if not all(map(math.isfinite, scores.values())) or not all(map(math.isfinite, found.values())):
        raise ScoresNotUsable("a score is missing, NaN or infinite")
    model = settings.folder.name
    over = [one.label for one in settings.labels if found[one.label] >= one.threshold]
    if not over:
        return Verdict(action="passed", model=model)
    label = max(over, key=lambda one: found[one])
    return Verdict(
        action=_ACTIONS[settings.policy],
        label=label,
        score=round(found[label], _DIGITS),
        model=model,
    )
