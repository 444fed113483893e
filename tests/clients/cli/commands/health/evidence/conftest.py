# SPDX-License-Identifier: Apache-2.0
"""A release with a report that says something everywhere."""

from __future__ import annotations

import pytest

from tabard_registry import sha256_bytes
from tabard_registry.evidence.documents import to_bytes
from tabard_registry.evidence.report import (
    Candidate,
    Check,
    Goal,
    PromptScore,
    Report,
    Score,
    Technical,
)
from tests.clients.fakes.real_server import RealServer
from tests.registry.evidence.reports import ANN, PICTURES, grid, report_on

REF = "acme/ink@1.0.0"


@pytest.fixture
def report(server: RealServer) -> Report:
    """The newest report of a release."""
    release = server.publish("acme/ink")
    digests = [sha256_bytes(png) for png in PICTURES]
    candidates = (
        Candidate(image=digests[0], prompt=0, seed=1, selected=True, why="the line is clean"),
        Candidate(image=digests[1], prompt=0, seed=2, why="two left hands"),
        *(Candidate(image=one, prompt=1, seed=n) for n, one in enumerate(digests[2:])),
    )
    made = report_on(
        release,
        verdict="Inconclusive",
        candidates=candidates,
        goal=Goal(purpose="style", statement="ink on paper", why_this_method="a style, so a LoRA"),
        scores=(
            Score(
                name="style",
                state="measured",
                value=0.71,
                low=0.61,
                high=0.81,
                baseline=0.66,
                paired_low=-0.02,
                paired_high=0.12,
            ),
            Score(name="subject", state="not_checked", reason="there is no learned encoder"),
        ),
        prompts=(
            PromptScore(prompt="a star", mean=0.8, low=0.7, high=0.9, stable=True),
            PromptScore(prompt="a cat", mean=0.4, low=0.1, high=0.7, stable=False),
        ),
        technical=Technical(steps=4, latent_size=(8, 8), kind="lora", rank=4, sampler="ddim"),
        checks={"copyright": Check(state="clear", by="bob", note="looked at all")},
        reasons=("the interval of style crosses its gate",),
        outcome="look again",
        drafted_by="tabard",
    )
    server.registry.evidence.put(made, author=ANN, blobs=[*PICTURES, to_bytes(grid())])
    return made
