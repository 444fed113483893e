# SPDX-License-Identifier: Apache-2.0
"""`tabard reviews`: what people decided, and on which report."""

from __future__ import annotations

from tests.clients.cli.conftest import Tabard
from tests.clients.fakes.real_server import RealServer
from tests.registry.evidence.reports import put_report

REF = "acme/ink@1.0.0"


def test_reviews_are_told(tabard: Tabard, server: RealServer) -> None:
    """Before anybody reviewed, after it, and when a newer report makes that an old word."""
    release = server.publish("acme/ink")
    put_report(server.registry, release)
    before = tabard("reviews", REF).out
    tabard("review", REF, "approve", "--note", "edges are right")
    after = tabard("reviews", REF).out
    put_report(server.registry, release, verdict="Failed")
    later = tabard("reviews", REF).out
    document = tabard("reviews", REF, "--json").document

    assert "nobody has reviewed it" in before and "success" in before
    assert "alice" in after and "edges are right" in after and "older report" not in after
    assert "approve, of an older report" in later and "failed" in later
    assert document["reviews"][0]["is_current"] is False
    assert "0 for it, 0 for what it replaces, 0 tied" in before
