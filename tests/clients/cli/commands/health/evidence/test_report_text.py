# SPDX-License-Identifier: Apache-2.0
"""Documents in words, whatever a server sends as one."""

from __future__ import annotations

from typing import Any

import pytest

from tabard.cli.commands.health.evidence.report_text import text_of
from tabard.cli.layout import lines_of
from tests.clients.health.documents import found


def told(kind: str = "report", **said: Any) -> str:
    """The words."""
    return "\n".join(
        line for one in text_of(found(kind, **said)) for line in lines_of(one, columns=120)
    )


def test_nothing_said_is_no_pass() -> None:
    """An empty report says that nobody checked, chose, or said what for."""
    words = told()

    assert words.count("not checked") == 6
    assert "nobody has said what it is for" in words
    assert "nobody has said what came of it" in words
    assert words.endswith("Scores inform; a person decides.")


def test_bounds_are_told() -> None:
    """Those that a channel asked for, and whose the others are."""
    policies = [{"pattern": "stable", "bounds": {"style_min": 0.7}}]

    assert "judged by" not in told()
    assert "the bounds of its server" in told(bounds={"style_min": 0.5})
    assert "what stable asked for (style_min 0.7), else" in told(policies=policies)


def test_counts_are_counts() -> None:
    """Pictures are told as one of many, other scores as numbers."""
    broken = {"name": "broken", "state": "measured", "value": 50.0, "of": 80}
    sound = {"name": "sound", "state": "measured", "value": 0.0, "low": 0.0, "high": 3.0, "of": 80}
    style = {"name": "style", "state": "measured", "value": 0.5, "low": 0.25, "high": 0.75}

    words = " ".join(told(scores=[broken, sound, style]).split())

    assert "broken 50 of 80" in words
    assert "sound 0 of 80 0 to 3" in words
    assert "style 0.50 0.25 to 0.75" in words


@pytest.mark.parametrize("name", ["style", "subject"])
def test_stable_prompt_says_its_bound(name: str) -> None:
    """Of what the release is for; and that the whole interval counts."""
    scores = [{"name": name, "state": "measured", "value": 0.9}]
    prompts = [{"prompt": "a cat", "mean": 0.9, "low": 0.8, "high": 1.0, "stable": True}]
    bounds = {"style_min": 0.5, "subject_min": 0.6}

    words = told(scores=scores, prompts=prompts, bounds=bounds)

    assert f"stable prompt: {name} at least {bounds[f'{name}_min']:.2f}, interval and all" in words


def test_references_are_listed() -> None:
    """Pictures by digest, and whether there are embeddings."""
    words = told("references", pictures=["sha256:" + "a" * 64], embeddings=[{"encoder": "x"}])

    assert "1 pictures" in words and "sha256:aaaaaaaaaaaa" in words
    assert "embeddings of 1 encoders" in words


@pytest.mark.parametrize(
    "said",
    [
        {"goal": 1, "scores": {}, "prompts": "x", "checks": [], "technical": [], "against": ""},
        {"technical": {"layers": 3, "libraries": [], "latent_size": 1}},
    ],
)
def test_impossible_document_is_survived(said: dict[str, Any]) -> None:
    """It is shown as far as it goes; `--json` has the rest."""
    assert "verdict" in told(**said)
