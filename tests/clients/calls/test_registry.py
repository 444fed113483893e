# SPDX-License-Identifier: Apache-2.0
"""The verbs that look at what there is."""

from dataclasses import replace
from pathlib import Path

import tabard
from tabard import Adapter, Channel, Client
from tabard.calls.registry import is_enough
from tabard.v1 import registry_service_pb2 as pb
from tests.clients.fakes.server import FakeServer


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


def test_list_may_leave_old_releases_out(stocked: Client, server: FakeServer) -> None:
    """It has the newest and what channels point to, and asks for nothing line by line."""
    for minor in range(1, 5):
        release = server.state.releases["acme/ink"][0]
        newer = type(release)(adapter="acme/ink", version=f"1.{minor}.0", digest=f"d{minor}")
        server.state.releases["acme/ink"].insert(0, newer)
    stocked.promote("acme/ink@1.1.0")
    server.state.requests.clear()

    lines = stocked.list(all_releases=False)

    (line,) = (one for one in lines if one.name == "acme/ink")
    assert [one.version for one in line.releases] == ["1.4.0", "1.3.0", "1.1.0"]
    assert not [one for one in server.state.requests if isinstance(one, pb.ListReleasesRequest)]


def test_line_of_an_older_server_is_completed() -> None:
    """It sent the newest alone, whatever channels point to."""
    channel = Channel(name="stable", digest="d1", version="1.0.0", seq=1)
    line = Adapter(name="a/b", releases=(), channels=(channel,), release_count=1)

    assert not is_enough(line, all_releases=False)
    assert is_enough(replace(line, channels=()), all_releases=False)


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


def test_empty_answers_are_asked_for_once(client: Client, server: FakeServer) -> None:
    """An empty first page is the last one."""
    assert (client.list(), client.search("nothing"), client.history()) == ((), (), ())
    assert len(server.state.requests) == 3
