# SPDX-License-Identifier: Apache-2.0
"""What follows from a canary as the log has it."""

from dataclasses import replace

import pytest

from tabard_registry.refs.digest import sha256_bytes
from tabard_registry.release.canary import COMPLAINT, PAIR, VOTE, Canary, CanaryTerms, Observation
from tabard_registry.release.health import Told
from tabard_server.canary.course import (
    decision_of,
    figures_of,
    policy_of,
    share_of,
    told,
    verdict_of,
)

TERMS = CanaryTerms(
    candidate=sha256_bytes(b"new"), baseline=sha256_bytes(b"old"), shares=(0.05, 0.25)
)
CANARY = Canary(channel="stable", terms=TERMS, started=Told(seq=1, time="", actor="ada"))


def seen(*differences: float | None) -> Canary:
    """Return a canary that has judged these pairs; None: the candidate broke."""
    return replace(
        CANARY,
        seen=tuple(
            Observation(
                kind=PAIR, unit=f"u{place}", difference=one, candidate_is_broken=one is None
            )
            for place, one in enumerate(differences)
        ),
    )


def test_constants_are_those_of_the_start() -> None:
    """Numbers from JSON become what the policy has; what it does not know is left out."""
    terms = replace(TERMS, policy={"units_max": 50.0, "loss_rate_max": 0.1, "of_tomorrow": 1.0})

    policy = policy_of(replace(CANARY, terms=terms))

    assert (policy.units_max, policy.loss_rate_max) == (50, 0.1)
    assert type(policy.units_max) is int


@pytest.mark.parametrize(
    ("canary", "verdict"),
    [
        (seen(*[-0.5] * 30), "rolled_back"),
        (seen(*[None] * 30), "rolled_back"),
        (seen(*[0.0] * 100), "success"),
        (seen(*[0.0] * 20), ""),
    ],
)
def test_verdict_follows_from_the_pairs(canary: Canary, verdict: str) -> None:
    """The four that there are, but for the one that time brings."""
    assert verdict_of(canary, decision_of(canary)) == verdict


def test_what_holds_is_rolled_back_but_never_succeeds() -> None:
    """Votes and complaints go on; Success is for people to say then."""
    held = {"verdict": "inconclusive"}
    bad, good = (replace(one, **held) for one in (seen(*[-0.5] * 30), seen(*[0.0] * 100)))  # type: ignore[arg-type]

    assert bad.is_held
    assert verdict_of(bad, decision_of(bad)) == "rolled_back"
    assert verdict_of(good, decision_of(good)) == ""


def test_votes_and_complaints_count() -> None:
    """Each as its own stream."""
    votes = [Observation(kind=VOTE, unit=f"v{n}", is_loss=True) for n in range(30)]
    complaints = [
        Observation(kind=COMPLAINT, unit=f"c{n}", is_loss=True, share=0.05) for n in range(10)
    ]

    decision = decision_of(replace(CANARY, seen=(*votes, *complaints)))

    assert decision.by_stream["votes"][0].losses == 30 or decision.is_final
    assert verdict_of(CANARY, decision) == "rolled_back"


def test_share_is_earned_by_judged_prompts() -> None:
    """Twenty in the shadow before the first, twenty more before the next; none once it holds."""
    early, earned = seen(*[0.0] * 19), seen(*[0.0] * 20)
    exposed = replace(earned, share=0.05)
    both = replace(seen(*[0.0] * 40), share=0.05)

    found = [share_of(one, decision_of(one)) for one in (early, earned, exposed, both)]

    assert found == [None, 0.05, None, 0.25]
    assert share_of(replace(earned, verdict="inconclusive"), decision_of(earned)) is None


def test_figures_name_the_worst() -> None:
    """What a record says beside a verdict: E, losses, units, and five pairs, the worst first."""
    canary = seen(*[0.0] * 10, *[-0.3] * 4, -0.9, None)

    decision = decision_of(canary)
    figures = figures_of(decision)

    assert (figures.losses, figures.units) == (6, 16)
    assert [one.difference for one in figures.worst] == [None, -0.9, -0.3, -0.3, -0.3]
    assert figures.streams["soft"][:2] == (5, 5)
    assert "6 of 16 prompts lost" in told("rolled_back", decision)
