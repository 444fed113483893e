# SPDX-License-Identifier: Apache-2.0
"""A server and a registry at hand take adapters alike, by one protocol."""

import hashlib
import json
from pathlib import Path

import pytest

import tabard
from tabard import Client
from tabard.cli.local.publishers import Publisher, ServerPublisher, Wanted, open_local_publisher
from tabard_registry import Registry
from tabard_registry.refs.names import AdapterRef
from tests.clients.fakes.server import FakeServer
from tests.registry.fakes import kohya_tensors, sd_profile, write


def _wanted(file: Path) -> Wanted:
    return Wanted(
        name="mine/ink", version="1.0.0", files=[file], trigger_words=("inkwash",), notes="soft"
    )


def _walk(publisher: Publisher, file: Path) -> list[object]:
    """Look, check, publish twice, look again."""
    before = publisher.originals("mine/ink", "1.0.0")
    report = publisher.check([file], trigger_words=("inkwash",))
    publisher.publish(_wanted(file))
    publisher.publish(_wanted(file))
    return [before, report.accepted, publisher.originals("mine/ink", "1.0.0")]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A registry, empty."""
    Registry.open(str(tmp_path / "registry")).close()
    return tmp_path / "registry"


def test_registry_at_hand_takes_adapters(
    engine: None, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once, as the actor of the environment, and known by its bytes afterwards."""
    monkeypatch.setenv("TABARD_ACTOR", "alice")
    file = write(tmp_path / "ink.safetensors", kohya_tensors(sd_profile(), seed=1))
    digest = f"sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}"

    with open_local_publisher(str(place), base="demo", needed_for="the test") as publisher:
        seen = _walk(publisher, file)

    registry = Registry.open(str(place))
    release = registry.state.find(AdapterRef.parse("mine/ink@1.0.0"))
    assert seen == [None, True, frozenset({digest})]
    assert (release.trigger_words, release.notes) == (("inkwash",), "soft")
    assert [(one.record.actor, one.record.reason) for one in registry.since(0)] == [
        ("alice", "import")
    ]


def test_refused_names_are_the_sdks_errors(engine: None, place: Path) -> None:
    """What the library refuses is told as a server would."""
    with (
        open_local_publisher(str(place), base="demo", needed_for="the test") as publisher,
        pytest.raises(tabard.InvalidArgument),
    ):
        publisher.originals("Not A Name", "1.0.0")


def test_server_takes_adapters(client: Client, server: FakeServer, style_file: Path) -> None:
    """By its own verbs; the manifest says what is there."""
    content = json.dumps({"original": [["x", "sha256:" + "a" * 64, 1]]}).encode()
    server.state.manifest = content
    publisher = ServerPublisher(client)

    assert publisher.originals("mine/ink", "1.0.0") is None
    assert publisher.check([style_file], trigger_words=()).accepted
    publisher.publish(_wanted(style_file))

    release = server.state.releases["mine/ink"][0]
    assert (release.notes, list(release.trigger_words)) == ("soft", ["inkwash"])
    release.digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    assert publisher.originals("mine/ink", "1.0.0") == {"sha256:" + "a" * 64}
