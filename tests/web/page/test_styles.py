# SPDX-License-Identifier: Apache-2.0
"""One line: what it has, who did what to it and why, and a channel of it taken back."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tabard import Client
from tests.clients.fakes.server import FakeServer

PAGE = {"X-Tabard-Page": "1"}
INK = "/api/styles/acme/ink"


@pytest.fixture
def moved(server: FakeServer, styles: None, tmp_path: Path) -> Iterator[Client]:
    """`stable` of `acme/ink` serves its second release."""
    file = tmp_path / "second.safetensors"
    file.write_bytes(b"second")
    with Client(server.address, actor="alice", patience_seconds=0) as client:
        client.publish("acme/ink", file, version="1.1.0")
        client.promote("acme/ink@1.1.0", reason="looks <b>better</b>")
        server.state.requests.clear()
        yield client


def test_line_is_told_with_its_past(web: httpx.Client, moved: Client) -> None:
    """Who, when and why, in words as they were written."""
    told = web.get(INK).json()

    assert [one["version"] for one in told["releases"]] == ["1.1.0", "1.0.0"]
    assert told["channels"] == [{"name": "stable", "version": "1.1.0"}]
    last = told["acts"][-1]
    assert (last["type"], last["version"], last["previous"]) == ("promote", "1.1.0", "1.0.0")
    assert (last["actor"], last["reason"]) == ("alice", "looks <b>better</b>")


def test_channel_is_taken_back(web: httpx.Client, server: FakeServer, moved: Client) -> None:
    """By whom the visitor says to be, from what the visitor saw."""
    asked = {"reason": "worse", "expect": "1.1.0", "actor": "ann"}

    told = web.post(f"{INK}/rollback", json=asked, headers=PAGE).json()

    assert (told["previous"], told["version"], told["moved"]) == ("1.1.0", "1.0.0", True)
    record = server.state.records[-1]
    assert (record.actor, record.reason) == ("ann", "worse")


def test_nobody_is_not_the_machine(web: httpx.Client, server: FakeServer, moved: Client) -> None:
    """Whoever says no name is not taken for the user that runs the gateway."""
    web.post(f"{INK}/rollback", json={"reason": "worse"}, headers=PAGE)

    assert server.state.records[-1].actor == "gateway"


@pytest.mark.parametrize("asked", [{}, {"reason": ""}, {"reason": "x", "to": "1.0.0"}])
def test_rollback_needs_a_reason(
    web: httpx.Client, server: FakeServer, moved: Client, asked: dict[str, str]
) -> None:
    """And takes nothing that it does not know."""
    answer = web.post(f"{INK}/rollback", json=asked, headers=PAGE)

    assert (answer.status_code, answer.json()["error"]["reason"]) == (400, "FIELD_INVALID")
    assert not server.state.requests


@pytest.mark.parametrize("headers", [{}, {**PAGE, "Sec-Fetch-Site": "same-site"}])
def test_forged_rollback_does_nothing(
    web: httpx.Client, server: FakeServer, moved: Client, headers: dict[str, str]
) -> None:
    """No form, and no page beside this one."""
    answer = web.post(f"{INK}/rollback", json={"reason": "x"}, headers=headers)

    assert answer.status_code in (400, 403)
    assert not server.state.requests


def test_unknown_line_is_not_found(web: httpx.Client) -> None:
    """Whatever its name."""
    for name in ("acme/none", "acme/%2e%2e", "a/b%00"):
        assert web.get(f"/api/styles/{name}").status_code in (400, 404)


def test_files_are_listed(web: httpx.Client, server: FakeServer, styles: None) -> None:
    """As their author had called them."""
    sent = [["ink.safetensors", "sha256:" + "c" * 64, 7]]
    server.state.manifest = json.dumps({"original": sent}).encode()
    digest = hashlib.sha256(server.state.manifest).hexdigest()
    server.state.releases["acme/ink"][0].digest = f"sha256:{digest}"

    told = web.get(f"{INK}/files", params={"version": "1.0.0"}).json()

    assert told == [{"name": sent[0][0], "digest": sent[0][1], "bytes": 7}]
