# SPDX-License-Identifier: Apache-2.0
"""Who is served the candidate of a canary."""

from dataclasses import replace

import pytest

from tabard_registry import AdapterRef, State
from tabard_registry.identity.identity import Identity, Proof
from tabard_registry.identity.roles import EVERYTHING
from tabard_server.admission.canaries import canary_for, is_exposed
from tabard_server.engine_port.drawing import WantedDrawing
from tabard_server.jobs.job import JobSpec
from tests.registry.canary_acts import ended, start, step
from tests.registry.state.short_logs import act, publication, run

BEGUN = (publication("1.0.0"), publication("1.1.0"), act("promote", "1.0.0"), start())
EXPOSED = (*BEGUN, step("share", share=0.05), step("share", share=0.25), step("share", share=0.5))
KEYS = [f"caller-{n}" for n in range(400)]


def spec(key: str = "", *, name: str = "", declines: bool = False) -> JobSpec:
    """A request by somebody."""
    identity = Identity(name=name, tenant="", grants=EVERYTHING, proof=Proof.TOKEN)
    return JobSpec(
        wanted=WantedDrawing(prompt="x"),
        identity=identity,
        canary_key=key,
        declines_canary=declines,
    )


def served(state: State, asked: JobSpec, ref: str = "acme/ink") -> str:
    """The version that a request wears by a canary; empty: what the ref says."""
    found = canary_for(asked, AdapterRef.parse(ref), state=state)
    return str(found.version) if found else ""


@pytest.mark.parametrize(("share", "least", "most"), [(0.05, 0.02, 0.09), (0.5, 0.42, 0.58)])
def test_share_is_of_the_callers(share: float, least: float, most: float) -> None:
    """About as many as it says."""
    found = sum(is_exposed(key, salt="salt", share=share) for key in KEYS) / len(KEYS)

    assert least < found < most


def test_side_is_sticky() -> None:
    """Whoever was of a smaller share stays in a larger one; another salt chooses others."""
    few = {key for key in KEYS if is_exposed(key, salt="salt", share=0.05)}
    many = {key for key in KEYS if is_exposed(key, salt="salt", share=0.25)}
    others = {key for key in KEYS if is_exposed(key, salt="pepper", share=0.05)}

    assert few < many
    assert few != others
    assert not any(is_exposed(key, salt="salt", share=0.0) for key in KEYS)


def test_only_the_channel_is_tried() -> None:
    """Exact pins, ranges and other channels are what they say."""
    state, _ = run(*EXPOSED, act("promote", "1.0.0", channel="beta"))
    mine = next(key for key in KEYS if served(state, spec(key)))

    assert served(state, spec(mine), "acme/ink@stable:0.8") == "1.1.0"
    for ref in ("acme/ink@1.0.0", "acme/ink@^1.0", "acme/ink@beta", "acme/oil"):
        assert served(state, spec(mine), ref) == ""


def test_caller_can_decline() -> None:
    """And who is not known and sends no key is never tried on."""
    state, _ = run(*EXPOSED)
    mine = next(key for key in KEYS if served(state, spec(key)))

    assert served(state, spec(mine, declines=True)) == ""
    assert served(state, spec()) == ""


def test_identity_goes_before_the_key() -> None:
    """Nobody chooses their side by another key."""
    state, _ = run(*EXPOSED)
    inside = next(key for key in KEYS if served(state, spec(key)))
    outside = next(key for key in KEYS if not served(state, spec(key)))

    assert served(state, spec(outside, name=inside)) == "1.1.0"
    assert served(state, spec(inside, name=outside)) == ""


def test_held_canary_serves_what_it_served() -> None:
    """Until people decide: the very same callers."""
    state, _ = run(*EXPOSED)
    held, _ = run(*EXPOSED, ended("inconclusive"))

    assert [served(held, spec(key)) for key in KEYS] == [served(state, spec(key)) for key in KEYS]
    over, _ = run(*EXPOSED, ended("rolled_back"))
    assert {served(over, spec(key)) for key in KEYS} == {""}


def test_unexposed_canary_serves_nobody() -> None:
    """It begins with pairs; and what is promoted needs no share."""
    begun, _ = run(*BEGUN)
    promoted, _ = run(*BEGUN[:3], act("promote", "1.1.0"), replace(start(shares=())))

    assert {served(begun, spec(key)) for key in KEYS} == {""}
    assert {served(promoted, spec(key)) for key in KEYS} == {""}
