# SPDX-License-Identifier: Apache-2.0
"""The verbs that only look: what there is, what happened, what was served."""

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

import tabard
from tabard import Client
from tests.clients.fakes.server import FakeServer

INK = "acme/ink@1.0.0"


def test_search_counts_releases(stocked: Client) -> None:
    """A hit says where the words stand and how much there is."""
    hits = stocked.search("black", limit=3)

    assert hits == (
        tabard.SearchHit(
            adapter="acme/ink",
            snippet="black",
            release_count=1,
            found_in=("name", "notes"),
            version="1.0.0",
        ),
    )


def test_served_at_names_the_act(stocked: Client, server: FakeServer) -> None:
    """What was served, since when and by whom; that there is more is not hidden."""
    stocked.promote(INK, reason="first")
    moment = datetime(2030, 1, 1, 12, tzinfo=UTC)

    served = stocked.served_at(moment, name="acme/ink", channel="stable")

    assert served.is_truncated
    assert served.servings[0].release.version == "1.0.0"
    assert served.servings[0].since.actions[0].reason == "first"
    assert server.state.requests[-1].time.ToDatetime(UTC) == moment


def test_history_takes_times(stocked: Client, server: FakeServer) -> None:
    """Texts and aware datetimes alike."""
    stocked.history(since="2030-01-01T00:00:00Z", until=datetime(2031, 1, 1, tzinfo=UTC))

    request = server.state.requests[-1]
    assert request.since.ToDatetime() == datetime(2030, 1, 1)
    assert request.until.ToDatetime() == datetime(2031, 1, 1)


def test_pages_are_read_until_there_is_enough(stocked: Client, server: FakeServer) -> None:
    """All releases of a line, which comes with its newest alone."""
    for minor in range(1, 5):
        release = server.state.releases["acme/ink"][0]
        newer = type(release)(adapter="acme/ink", version=f"1.{minor}.0", digest=f"d{minor}")
        server.state.releases["acme/ink"].insert(0, newer)
    versions = [f"1.{minor}.0" for minor in range(4, -1, -1)]

    (line,) = (one for one in stocked.list() if one.name == "acme/ink")

    assert [one.version for one in line.releases] == versions
    assert stocked.get("acme/ink") == line
    assert [one.version for one in stocked.releases("acme/ink")] == versions


def test_naive_time_is_refused(stocked: Client) -> None:
    """Nobody guesses what a time without an offset means."""
    with pytest.raises(tabard.InvalidArgument) as caught:
        stocked.served_at(datetime(2030, 1, 1))

    assert caught.value.reason == "TIME_INVALID"


def test_manifest_is_checked(stocked: Client, server: FakeServer) -> None:
    """Bytes that do not have the release's digest are never handed out."""
    content = json.dumps({"original": [["x", "sha256:" + "a" * 64, 1]]}).encode()
    server.state.manifest = content
    with pytest.raises(tabard.Internal) as caught:
        stocked.manifest(INK)

    server.state.releases["acme/ink"][0].digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    manifest = stocked.manifest(INK)

    assert caught.value.reason == "MANIFEST_DAMAGED"
    assert manifest.original_digests == ("sha256:" + "a" * 64,)


def test_get_shows_releases_and_channels(client: Client, stable: tabard.Release) -> None:
    """One adapter comes with everything it has."""
    adapter = client.get("acme/watercolor")

    assert adapter.releases == (stable,)
    assert [channel.name for channel in adapter.channels] == ["stable"]
    assert adapter.releases[0].training == {"ss_steps": "100"}


def test_list_reads_every_page(client: Client, style_file: Path) -> None:
    """Pages of two are joined."""
    for name in "edcba":
        client.publish(f"acme/{name}", style_file, version="1.0.0")

    adapters = client.list()

    assert [adapter.name for adapter in adapters] == [f"acme/{name}" for name in "abcde"]


def test_history_keeps_actor_and_reason(client: Client, stable: tabard.Release) -> None:
    """History filters by adapter and channel and is cut to the newest."""
    client.promote("acme/watercolor@1.0.0", channel="canary", reason="try it")

    records = client.history("acme/watercolor", channel="canary", limit=5)

    assert [(one.actor, one.reason, one.actions[0].type) for one in records] == [
        ("alice", "try it", "promote")
    ]
    assert client.history(limit=1)[0].seq == 3


def test_empty_answers_are_asked_for_once(client: Client, server: FakeServer) -> None:
    """An empty first page is the last one."""
    assert (client.list(), client.search("nothing"), client.history()) == ((), (), ())
    assert len(server.state.requests) == 3


def test_releases_are_compared(stocked: Client, style_file: Path) -> None:
    """What is not known, or not there, is None."""
    found = stocked.diff("acme/ink@1.0.0", "acme/ink@1.0.0")

    first, second, third, _same = found.layers
    assert (first.distance, second.right, second.distance) == (5.0, None, None)
    assert third.left == tabard.LayerSide(method="OFT", rank=0, norm=None)
    assert found.fields[0] == tabard.FieldDiff(name="notes", left="soft", right="")


def test_dependents_are_told(stocked: Client) -> None:
    """Channels, recipes and jobs."""
    stocked.promote("acme/ink@1.0.0")

    found = stocked.dependents("acme/ink@1.0.0")

    assert (found.channels, found.recipes) == (("stable",), ("acme/mix@1.0.0",))
    assert (found.recipe_count, found.job_count) == (3, 2)
