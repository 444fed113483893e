# SPDX-License-Identifier: Apache-2.0
"""`tabard policy explain`: against a whole server, for a fake would only echo it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tabard_registry import Author
from tabard_registry.release.gates import Gate
from tests.clients.cli.conftest import Tabard
from tests.clients.fakes.real_server import RealServer, real_server
from tests.registry.evidence.reports import put_report

ANN = Author(actor="ann", reason="for a test")
REF = "acme/ink@1.0.0"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RealServer]:
    """Run a server in a thread; the command line finds it."""
    with real_server(tmp_path) as running:
        yield running


def test_nothing_is_asked(tabard: Tabard, server: RealServer) -> None:
    """Without a policy a release may go anywhere."""
    server.publish("acme/ink")

    ran = tabard("policy", "explain", REF, "--channel", "beta")

    assert (ran.code, ran.out) == (0, "beta asks for nothing: acme/ink 1.0.0 may be promoted\n")


def test_what_is_missing_and_who(tabard: Tabard, server: RealServer) -> None:
    """A role, and what its holder does; an override is offered where it is enough."""
    release = server.publish("acme/ink")
    server.registry.set_policy("acme", author=ANN, channels={"stable": Gate(require_success=True)})

    lacking = tabard("policy", "explain", REF)
    both = {"stable": Gate(require_success=True, reviews=1)}
    server.registry.set_policy("acme", author=ANN, channels=both)
    more = tabard("policy", "explain", REF)
    document = tabard("policy", "explain", REF, "--json").document
    only = {"stable": Gate(require_success=True)}
    server.registry.set_policy("acme", author=ANN, channels=only)
    put_report(server.registry, release)
    done = tabard("policy", "explain", REF)

    assert "it has no report" in lacking.out
    assert "role publish" in lacking.out and "--override REASON" in lacking.out
    assert "role review" in more.out and "--override" not in more.out.split("how")[0]
    assert "would do without all of this" not in more.out
    assert [one["overridable"] for one in document["missing"]] == [True, False]
    assert "has all of it, and may be promoted to stable" in done.out


def test_bounds_of_the_channel_are_held_to(tabard: Tabard, server: RealServer) -> None:
    """A report without figures meets none; what is asked is told."""
    release = server.publish("acme/ink")
    put_report(server.registry, release)
    strict = {"stable": Gate(require_success=True, bounds={"style_min": 0.7})}
    server.registry.set_policy("acme", author=ANN, channels=strict)

    ran = tabard("policy", "explain", REF)

    assert "only with a Success by style_min 0.7" in ran.out
    assert "no figures to hold against style_min" in " ".join(ran.out.split())


def test_override_promotes(tabard: Tabard, server: RealServer) -> None:
    """What the refusal names, and what it takes."""
    server.publish("acme/ink")
    server.registry.set_policy("acme", author=ANN, channels={"beta": Gate(require_success=True)})

    refused = tabard("promote", REF, "--channel", "beta")
    moved = tabard("promote", REF, "--channel", "beta", "--override", "the client waits")

    assert "GATE_NOT_MET" in refused.err and "it has no report" in refused.err
    assert f"tabard policy explain {REF} --channel beta" in refused.err
    assert (moved.code, "beta: nothing → 1.0.0" in moved.out) == (0, True)
