# SPDX-License-Identifier: Apache-2.0
"""The verbs that act: what they change, by whom, why, and once."""

from pathlib import Path

import pytest

import tabard
from tabard import Client
from tests.clients.fakes.server import FakeServer

INK = "acme/ink@1.0.0"


def test_quarantine_carries_reason(stocked: Client) -> None:
    """Both ways, and each with a key of its own."""
    held = stocked.quarantine(INK, reason="a signature in it").release
    lifted = stocked.lift(INK, reason="cleared").release

    assert (held.quarantined, held.quarantine_reason) == (True, "a signature in it")
    assert (lifted.quarantined, lifted.quarantine_reason) == (False, "")


def test_purge_carries_reason(stocked: Client) -> None:
    """The release is still there to be looked at."""
    purged = stocked.purge(INK, reason="asked for").release

    assert (purged.purged, purged.purge_reason) == (True, "asked for")


def test_every_act_has_a_key(stocked: Client, server: FakeServer) -> None:
    """An act that is sent twice by the transport happens once."""
    stocked.yank(INK, reason="r")
    stocked.unyank(INK, reason="r")
    stocked.quarantine(INK, reason="r")
    stocked.lift(INK, reason="r")
    stocked.purge(INK, reason="r")
    stocked.sign(INK, key_id="k", signature="s")

    keys = [request.request_id for request in server.state.requests]
    assert all(keys)
    assert len(set(keys)) == len(keys)


def test_recipe_locks_members(stocked: Client) -> None:
    """Members come back with digest and weight; a withdrawn one flags the recipe."""
    ink = stocked.quarantine(INK, reason="r").release

    published = stocked.publish_recipe(
        "acme/mix", [f"{INK}:0.5"], version="1.0.0", reason="for the book"
    )

    member = tabard.Member(adapter="acme/ink", version="1.0.0", digest=ink.digest, weight=0.5)
    assert (published.created, published.release.kind) == (True, "recipe")
    assert published.release.members == (member,)
    assert published.release.troubled_members == (INK,)
    assert published.release.publish_reason == "for the book"


def test_promote_moves_channel(client: Client, stable: tabard.Release) -> None:
    """A promotion to another channel says where it came from and where it is."""
    move = client.promote("acme/watercolor@stable", channel="canary", reason="try", expect="none")

    assert (move.channel, move.version, move.previous_version) == ("canary", "1.0.0", "")
    assert move.moved
    assert client.resolve("acme/watercolor@canary") == stable


def test_promote_expectation_is_kept(client: Client, stable: tabard.Release) -> None:
    """A channel that points elsewhere than expected does not move."""
    with pytest.raises(tabard.FailedPrecondition) as caught:
        client.promote("acme/watercolor@1.0.0", expect="none")

    assert caught.value.reason == "EXPECT_MISMATCH"


def test_rollback_restores_previous_release(
    client: Client, stable: tabard.Release, other_file: Path
) -> None:
    """After a rollback the channel means what it meant before."""
    client.publish("acme/watercolor", other_file, version="1.1.0")
    client.promote("acme/watercolor@1.1.0")

    move = client.rollback("acme/watercolor", reason="muddy")

    assert (move.previous_version, move.version) == ("1.1.0", "1.0.0")
    assert client.resolve("acme/watercolor") == stable


def test_yank_and_unyank_release(client: Client, stable: tabard.Release) -> None:
    """A yank carries its reason, and can be undone."""
    yanked = client.yank("acme/watercolor@1.0.0", reason="licence").release
    unyanked = client.unyank("acme/watercolor@1.0.0", reason="cleared").release

    assert (yanked.yanked, yanked.yank_reason) == (True, "licence")
    assert not unyanked.yanked


def test_edit_says_only_what_changes(stocked: Client, server: FakeServer) -> None:
    """What is left out is absent; an empty text is said."""
    release = stocked.edit(
        "acme/ink@1.0.0", notes="", trigger_words=["wash"], reason="a typo"
    ).release

    request = server.state.requests[-1]
    assert (request.HasField("notes"), request.HasField("licence")) == (True, False)
    assert (request.actor, request.reason, bool(request.request_id)) == ("alice", "a typo", True)
    assert (release.notes, release.trigger_words) == ("", ("wash",))


@pytest.mark.parametrize(
    ("verb", "undoing"), [("yank", "unyank"), ("quarantine", "lift"), ("purge", "")]
)
def test_repeated_act_says_that_nothing_changed(stocked: Client, verb: str, undoing: str) -> None:
    """The reason is that of the first; undoing what is not so changes nothing either."""
    if undoing:
        assert not getattr(stocked, undoing)(INK, reason="none").changed
    first = getattr(stocked, verb)(INK, reason="first")
    second = getattr(stocked, verb)(INK, reason="second")

    assert (first.changed, second.changed) == (True, False)
    assert second.release == first.release


def test_same_words_change_nothing(stocked: Client) -> None:
    """And it is said."""
    done = [stocked.edit(INK, notes="soft").changed for _ in range(2)]

    assert done == [True, False]
