# SPDX-License-Identifier: Apache-2.0
"""Policies by who could meet them; what explains them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tabard_registry import Author, Registry
from tabard_registry.errors import NotFound, RegistryError
from tabard_registry.identity.roles import EVERYTHING, Grants, Role
from tabard_registry.release.gates import Gate
from tabard_server.publishing.policies import Policies
from tests.registry.evidence.reports import BOB, put_report
from tests.registry.fakes import publish, ref

ROOT = Author(actor="root", reason="for a test")
STRICT = Gate(require_success=True, reviews=1, require_checks=True)


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """A registry whose reviewers are bob and cat."""
    found = Registry.open(str(tmp_path / "registry"))
    for name in ("bob", "cat"):
        grants = Grants({"acme": frozenset({Role.REVIEW})})
        found.create_token(name, grants=grants, author=ROOT)
    return found


def reason_of(policies: Policies, **words: Any) -> str:
    """Why a policy is refused; empty: it is not."""
    try:
        policies.set("acme", author=ROOT, **words)
    except RegistryError as error:
        return error.reason
    return ""


@pytest.mark.parametrize(
    ("ways", "reviews", "reason"),
    [
        (("tokens",), 2, ""),
        (("tokens",), 3, "POLICY_UNSATISFIABLE"),
        # Nobody here knows who comes with a JWT, or where nobody is asked.
        (("tokens", "jwt"), 3, ""),
        ((), 3, ""),
        ((), 17, "POLICY_UNSATISFIABLE"),
    ],
)
def test_reviews_are_counted_against_reviewers(
    registry: Registry, ways: tuple[str, ...], reviews: int, reason: str
) -> None:
    """Where tokens are the only way; nothing is written of what is refused."""
    before = registry.seq
    found = ""

    try:
        channels = {"stable": Gate(reviews=reviews)}
    except RegistryError as error:
        found = error.reason
    else:
        found = reason_of(Policies(registry, ways=ways), channels=channels)

    assert found == reason
    assert (registry.seq > before) is (not reason)


def test_identity_that_nobody_can_show(registry: Registry) -> None:
    """Reviews by people who have shown who they are, at a server that asks nobody."""
    policies = Policies(registry, ways=())
    gates = {"stable": Gate(reviews=1)}

    assert reason_of(policies, channels=gates, require_identity=True) == "POLICY_UNSATISFIABLE"
    assert reason_of(policies, channels={"stable": Gate(require_success=True)}) == ""
    assert reason_of(policies, channels=gates) == ""
    assert reason_of(policies, require_identity=True) == "POLICY_UNSATISFIABLE"
    assert reason_of(policies, channels={"stable": None}, require_identity=True) == ""


def test_what_is_there_already_stops_nothing_else(registry: Registry) -> None:
    """A reviewer has left: the namespace can still be made private, and the gate taken away."""
    policies = Policies(registry, ways=("tokens",))
    policies.set("acme", author=ROOT, channels={"stable": Gate(reviews=2)})
    registry.revoke_token("cat", author=ROOT)

    assert reason_of(policies, private=True) == ""
    assert reason_of(policies, channels={"beta": Gate(reviews=1)}) == ""
    assert reason_of(policies, channels={"stable": None}) == ""


def test_names_are_for_those_who_may_see_tokens(registry: Registry, tmp_path: Path) -> None:
    """An admin of the namespace reads them; another is told that there may be some."""
    release = publish(registry, "1.0.0", folder=tmp_path).release
    put_report(registry, release, verdict="Success")
    registry.set_policy("acme", author=ROOT, channels={"stable": Gate(reviews=2)})
    report = registry.state.find(ref("1.0.0")).health.report
    assert report is not None
    seen = report.document
    registry.evidence.review(ref("1.0.0"), decision="approve", evidence=seen, author=BOB)
    policies = Policies(registry, ways=("tokens",))
    admin = Grants({"acme": frozenset({Role.ADMIN})})
    other = Grants({"acme": frozenset({Role.GENERATE})})

    told = [
        policies.explain(ref("1.0.0"), channel="", grants=one).needs[0]
        for one in (EVERYTHING, admin, other)
    ]

    assert [one.names for one in told] == [("cat",), ("cat",), ()]
    assert [one.has_others for one in told] == [False, True, True]
    assert {one.missing.what for one in told} == {"1 of 2 reviews approve of its newest report"}
    unasked = Policies(registry, ways=()).explain(ref("1.0.0"), channel="", grants=EVERYTHING)
    assert (unasked.needs[0].names, unasked.needs[0].has_others) == ((), True)


def test_private_release_is_not_there(registry: Registry, tmp_path: Path) -> None:
    """In the words of one that does not exist."""
    publish(registry, "1.0.0", folder=tmp_path)
    registry.set_policy("acme", author=ROOT, private=True, channels={"stable": STRICT})
    policies = Policies(registry, ways=("tokens",))

    with pytest.raises(NotFound):
        policies.explain(ref("1.0.0"), channel="", grants=Grants({"beta": frozenset({Role.ADMIN})}))


def test_override_suffices_where_no_review_lacks(registry: Registry, tmp_path: Path) -> None:
    """Reviews cannot be overridden, and nothing is to be where nothing lacks."""
    publish(registry, "1.0.0", folder=tmp_path)
    policies = Policies(registry, ways=())

    found = []
    for gate in (None, Gate(require_success=True), STRICT):
        if gate:
            registry.set_policy("acme", author=ROOT, channels={"stable": gate})
        found.append(policies.explain(ref("1.0.0"), channel="", grants=EVERYTHING))

    assert [one.override_suffices for one in found] == [False, True, False]
    assert [len(one.needs) for one in found] == [0, 1, 2]
