# SPDX-License-Identifier: Apache-2.0
"""`tabard policy set`: what a namespace asks for changes, word by word."""

from pathlib import Path

import pytest

from tabard.cli import exit_codes
from tabard_registry import Registry
from tests.clients.cli.conftest import Tabard


@pytest.mark.parametrize("is_here", [True, False])
def test_policy_keeps_what_is_not_said(tabard: Tabard, place: Path, is_here: bool) -> None:
    """At a server and here alike."""
    where = ("--registry", place) if is_here else ()

    tabard("policy", "set", "acme", "--private", "--require-signature", *where)
    ran = tabard("policy", "set", "acme", "--no-private", "--json", *where)

    assert ran.document == {
        "policy": {
            "namespace": "acme",
            "require_signature": True,
            "private": False,
            "require_identity": False,
            "channels": {},
            "enforce_sampling": False,
        },
        "changed": True,
    }


@pytest.mark.parametrize("is_here", [True, False])
def test_repetition_says_nothing_changed(tabard: Tabard, place: Path, is_here: bool) -> None:
    """Also where nothing was ever asked for: no record, no reason."""
    where = ("--registry", place) if is_here else ()

    first = tabard("policy", "set", "acme", "--private", *where)
    again = tabard("policy", "set", "acme", "--private", "--reason", "audit", *where)
    unsaid = tabard("policy", "set", "other", "--no-private", "--json", *where)

    assert "nothing changed" not in first.out
    assert (again.code, "nothing changed, and no reason was taken" in again.out) == (0, True)
    assert unsaid.document["changed"] is False


def test_policy_is_in_the_log(tabard: Tabard, place: Path) -> None:
    """With who and why."""
    tabard("policy", "set", "acme", "--private", "--reason", "audit", "--registry", place)

    record = Registry.open(str(place)).since(0)[0].record
    assert (record.actor, record.reason) == ("alice", "audit")


def test_policy_must_be_said(tabard: Tabard) -> None:
    """Neither yes nor no is a wrong command line."""
    assert tabard("policy", "set", "acme").code == exit_codes.USAGE


def test_namespace_must_be_one(tabard: Tabard, place: Path) -> None:
    """Nothing is written."""
    ran = tabard("policy", "set", "No Such", "--private", "--registry", place)

    assert (ran.code, Registry.open(str(place)).seq) == (exit_codes.INVALID, 0)


@pytest.mark.parametrize("is_here", [True, False])
def test_gate_is_set_and_taken_away(tabard: Tabard, place: Path, is_here: bool) -> None:
    """Said whole by one command, shown in words, and gone with --off."""
    where = ("--registry", place) if is_here else ()
    on = ("policy", "set", "acme", "--channel")

    tabard(*on, "prod-*", "--require-checks", *where)
    ran = tabard(*on, "stable", "--require-success", "--reviews", 2, "--json", *where)
    shown = tabard("policy", "show", "acme", *where).out
    off = tabard(*on, "stable", "--off", "--json", *where)

    plain = {"bounds": {}, "promote_on_success": False}
    checks = {"require_success": False, "reviews": 0, "require_checks": True, **plain}
    assert ran.document["policy"]["channels"] == {
        "prod-*": checks,
        "stable": {"require_success": True, "reviews": 2, "require_checks": False, **plain},
    }
    assert "a Success, 2 reviews by others than its author" in shown
    assert off.document["policy"]["channels"] == {"prod-*": checks}


@pytest.mark.parametrize(
    "arguments",
    [
        ("--require-success",),
        ("--off",),
        ("--channel", "stable"),
        ("--channel", "stable", "--off", "--reviews", 1),
        ("--channel", "stable", "--reviews", 0),
        ("--channel", "stable", "--reviews", 1, "--bound", "style_min=0.7"),
        ("--channel", "stable", "--require-success", "--bound", "style_min"),
        ("--promote-on-success",),
    ],
)
def test_gate_is_said_whole(tabard: Tabard, arguments: tuple[object, ...]) -> None:
    """A channel and what it asks for, or --off."""
    assert tabard("policy", "set", "acme", *arguments).code == exit_codes.USAGE


@pytest.mark.parametrize("is_here", [True, False])
def test_bounds_and_promotion_are_set(tabard: Tabard, place: Path, is_here: bool) -> None:
    """At a server and here alike; shown in words."""
    where = ("--registry", place) if is_here else ()
    asks = ("--require-success", "--bound", "style_min=0.7", "--bound", "drift_max=1")

    ran = tabard(
        *("policy", "set", "acme", "--channel", "stable", "--promote-on-success"),
        *(*asks, "--enforce-sampling", "--json", *where),
    )
    shown = tabard("policy", "show", "acme", *where).out

    policy = ran.document["policy"]
    assert policy["channels"]["stable"]["bounds"] == {"style_min": 0.7, "drift_max": 1.0}
    assert (policy["channels"]["stable"]["promote_on_success"], policy["enforce_sampling"]) == (
        True,
        True,
    )
    words = " ".join(shown.split())
    assert "only with a Success by style_min 0.7, drift_max 1; by itself when a" in words
    assert "only within declared bounds" in words


def test_unknown_bound_names_the_known(tabard: Tabard, place: Path) -> None:
    """The registry knows which there are."""
    asks = ("--channel", "stable", "--require-success", "--bound", "beauty_min=1")
    ran = tabard("policy", "set", "acme", *asks, "--registry", place)

    assert (ran.code, "style_min" in ran.err) == (exit_codes.INVALID, True)


def test_more_reviews_than_a_release_can_have(tabard: Tabard, place: Path) -> None:
    """Refused with its own reason."""
    asked = ("--channel", "stable", "--reviews", 17)
    ran = tabard("policy", "set", "acme", *asked, "--registry", place)

    assert (ran.code, "POLICY_UNSATISFIABLE" in ran.err) == (exit_codes.PRECONDITION, True)
