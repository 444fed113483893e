# SPDX-License-Identifier: Apache-2.0
"""`tabard history`: what happened, and what was served at some time."""

import pytest

from tabard.v1 import adapter_pb2
from tests.clients.cli.conftest import Tabard
from tests.clients.fakes.server import FakeServer


def test_history_json_is_limited(published: Tabard) -> None:
    """Only the newest records, oldest first."""
    records = published("history", "--limit", "2", "--json").document["records"]

    assert [record["seq"] for record in records] == [3, 4]
    assert records[1]["actions"][0]["type"] == "promote"


def test_history_passes_times_on(published: Tabard, server: FakeServer) -> None:
    """Since and until go to the server as the moments they are."""
    published("history", "--since", "2030-01-01T00:00:00Z", "--until", "2031-01-01T00:00:00Z")

    request = server.state.requests[-1]
    moments = (request.since.ToJsonString(), request.until.ToJsonString())
    assert moments == ("2030-01-01T00:00:00Z", "2031-01-01T00:00:00Z")


def test_history_at_tells_who_served_what(published: Tabard) -> None:
    """Channel, version, since when, by whom; that there is more is said."""
    text = published("history", "--at", "2030-01-01T00:00:00Z")
    ran = published("history", "--at", "2030-01-01T00:00:00Z", "--json")

    assert all(word in text.out for word in ("stable", "1.1.0", "alice (promote)"))
    assert "there is more" in text.out
    assert ran.document["servings"][0]["since"]["actor"] == "alice"


def test_history_at_is_one_moment(published: Tabard) -> None:
    """A moment has neither beginning nor end."""
    assert published("history", "--at", "2030-01-01T00:00:00Z", "--since", "x").code == 2


def test_span_must_go_forward(published: Tabard) -> None:
    """Else it looks as if nothing had happened."""
    ran = published("history", "--since", "2026-11-28", "--until", "2026-11-20")

    assert (ran.code, "--since is later than --until" in ran.err) == (2, True)


def test_act_without_effect_says_why(published: Tabard, server: FakeServer) -> None:
    """A record that changed nothing is shown with the note of the fold."""
    action = server.state.records[-1].actions[0]
    action.effective, action.note = False, "the channel had moved"

    assert "(without effect: the channel had moved)" in published("history").out


def test_author_whom_nobody_checked_is_marked(
    published: Tabard, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where others were checked, or the caller shows who it is; else all are alike."""
    plain = published("history").out
    monkeypatch.setenv("TABARD_TOKEN", "t")
    asked = published("history").out
    monkeypatch.delenv("TABARD_TOKEN")
    action = server.state.records[-1].actions[0]
    action.actor, action.on_behalf_of, action.proof = "ci", "bob", adapter_pb2.PROOF_TOKEN
    mixed = published("history")
    documents = published("history", "--json").document["records"]

    assert "unauthenticated" not in plain
    assert asked.count("alice (unauthenticated)") == 4
    assert (mixed.out.count("alice (unauthenticated)"), "ci (for bob)" in mixed.out) == (3, True)
    assert [one["actions"][0]["proof"] for one in documents] == ["", "", "", "token"]
    assert "ci (for bob)" in published("watch", "--from-seq", "4", "--count", "1").out
