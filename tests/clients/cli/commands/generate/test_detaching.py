# SPDX-License-Identifier: Apache-2.0
"""`tabard generate --detach`."""

from tests.clients.cli.conftest import Tabard
from tests.clients.fakes.server import FakeServer


def test_job_is_begun_and_not_waited_for(tabard: Tabard, server: FakeServer) -> None:
    """The request says so; the id is printed, and how to go on."""
    ran = tabard("generate", "a cat", "--detach", "--webhook", "https://a.example/")

    [request] = server.state.requests
    assert request.detach.webhook_url == "https://a.example/"
    assert "tabard job wait" in ran.out


def test_words_of_a_job_need_one(tabard: Tabard) -> None:
    """They mean nothing to a command that waits."""
    for said in (("--webhook", "https://a.example/"), ("--namespace", "acme")):
        ran = tabard("generate", "a cat", *said)
        assert ran.code == 2
        assert "--detach" in ran.err
