# SPDX-License-Identifier: Apache-2.0
"""`tabard quarantine`: nobody is served with a release, and the act says who and why."""

from tests.clients.cli.conftest import Tabard
from tests.clients.fakes.server import FakeServer

REF = "acme/watercolor@1.0.0"


def test_quarantine_says_who_and_why(published: Tabard, server: FakeServer) -> None:
    """The act carries actor, reason and a key that makes it happen once."""
    ran = published("quarantine", REF, "--reason", "a signature", "--yes", "--json")

    request = server.state.requests[-1]
    assert (request.ref, request.actor, request.reason) == (REF, "alice", "a signature")
    assert request.request_id
    document = ran.document["release"]
    assert (document["quarantined"], document["quarantine_reason"]) == (True, "a signature")


def test_unknown_release_exits_three(tabard: Tabard) -> None:
    """What is not there cannot be withdrawn."""
    assert tabard("quarantine", "acme/none@1.0.0", "--reason", "r", "--yes").code == 3
