# SPDX-License-Identifier: Apache-2.0
"""Publishing from a hub, against a small hub on this machine, through the real library."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tabard import InvalidArgument
from tabard.cli.files.hub import HubId, parse_hub_id
from tests.clients.fakes.server import FakeServer

COMMIT = "0123456789abcdef0123456789abcdef01234567"
FILES = {
    "pytorch_lora_weights.safetensors": b"style" * 1000,
    "README.md": b"a style",
    "checkpoints/step-100.safetensors": b"older",
}


class Hub(BaseHTTPRequestHandler):
    """One repository, acme/watercolor, at one commit; notes what was asked for."""

    asked: ClassVar[list[str]] = []
    sizes: ClassVar[dict[str, int]] = {}

    def do_HEAD(self) -> None:
        self._answer(is_head=True)

    def do_GET(self) -> None:
        self._answer(is_head=False)

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def _answer(self, *, is_head: bool) -> None:
        path = self.path.partition("?")[0]
        if not is_head:
            self.asked.append(path)
        api = "/api/models/acme/watercolor"
        if path in (api, f"{api}/revision/main", f"{api}/revision/v2"):
            self._send(self._listing(), is_head=is_head, kind="application/json")
        elif path.startswith(f"/acme/watercolor/resolve/{COMMIT}/"):
            name = path.partition(f"{COMMIT}/")[2]
            self._send(FILES[name], is_head=is_head, kind="application/octet-stream")
        else:
            self.send_response(404)
            self.send_header("X-Error-Code", "RepoNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()

    def _listing(self) -> bytes:
        siblings = [
            {"rfilename": name, "size": self.sizes.get(name, len(body))}
            for name, body in FILES.items()
        ]
        return json.dumps({"id": "acme/watercolor", "sha": COMMIT, "siblings": siblings}).encode()

    def _send(self, body: bytes, *, is_head: bool, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{len(body)}"')
        self.end_headers()
        if not is_head:
            self.wfile.write(body)


@pytest.fixture
def hub() -> Iterator[str]:
    Hub.asked.clear()
    Hub.sizes.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_address[1]}"
        running.shutdown()
        thread.join()


def publish(source: str, *, hub: str, server: FakeServer, home: Path) -> Any:
    """Publish in a process of its own: the library reads its settings once."""
    environment = {
        **os.environ,
        "HF_ENDPOINT": hub,
        "HF_HOME": str(home),
        "HF_HUB_OFFLINE": "0",
        "HF_HUB_DISABLE_XET": "1",
        "TABARD_ADDRESS": server.address,
    }
    command = ["publish", "acme/a", source, "--version", "1.0.0", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "tabard", *command],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("source", ["hf:acme/watercolor", "acme/watercolor@v2"])
def test_repository_is_published(source: str, hub: str, server: FakeServer, tmp_path: Path) -> None:
    """Only the adapter's file is downloaded, and the notes name the commit that it is from."""
    release = publish(source, hub=hub, server=server, home=tmp_path)["release"]

    assert release["original_bytes"] == 5000
    assert release["notes"] == (
        f"source: hf:acme/watercolor@{COMMIT}:pytorch_lora_weights.safetensors"
    )
    assert [path for path in Hub.asked if "/resolve/" in path] == [
        f"/acme/watercolor/resolve/{COMMIT}/pytorch_lora_weights.safetensors"
    ]


def test_one_file_is_published(hub: str, server: FakeServer, tmp_path: Path) -> None:
    """A file deep in the repository is named."""
    source = "hf:acme/watercolor:checkpoints/step-100.safetensors"

    release = publish(source, hub=hub, server=server, home=tmp_path)["release"]

    assert release["original_bytes"] == len(b"older")


@pytest.mark.parametrize(
    ("source", "reason", "code"),
    [
        ("hf:acme/other", "HUB_NOT_FOUND", 3),
        ("acme/other", "HUB_NOT_FOUND", 3),
        ("hf:acme/watercolor:nothing.safetensors", "HUB_NOT_FOUND", 3),
    ],
)
def test_unknown_is_not_found(
    source: str, reason: str, code: int, hub: str, server: FakeServer, tmp_path: Path
) -> None:
    """What is not there is told as such."""
    error = publish(source, hub=hub, server=server, home=tmp_path)["error"]

    assert (error["reason"], error["exit_code"]) == (reason, code)


def test_too_large_is_not_downloaded(hub: str, server: FakeServer, tmp_path: Path) -> None:
    """A size beyond the bound is refused before a byte comes."""
    Hub.sizes["pytorch_lora_weights.safetensors"] = 1 << 40

    error = publish("hf:acme/watercolor", hub=hub, server=server, home=tmp_path)["error"]

    assert error["reason"] == "TOO_LARGE"
    assert not any("/resolve/" in path for path in Hub.asked)


def test_silent_hub_is_unavailable(server: FakeServer, tmp_path: Path) -> None:
    """Nobody at the address: unavailable, not a traceback."""
    error = publish("hf:acme/watercolor", hub="http://127.0.0.1:9", server=server, home=tmp_path)[
        "error"
    ]

    assert (error["reason"], error["exit_code"]) == ("HUB_UNAVAILABLE", 6)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("hf:owner/name", HubId(repo="owner/name")),
        ("owner/name", HubId(repo="owner/name")),
        ("owner/name@v1.2", HubId(repo="owner/name", revision="v1.2")),
        ("hf:o/n@refs/pr/3:sub/x.pt", HubId(repo="o/n", revision="refs/pr/3", file="sub/x.pt")),
        ("owner/name:x.safetensors", HubId(repo="owner/name", file="x.safetensors")),
        ("models/x.safetensors", None),
        ("x.safetensors", None),
        ("/owner/name", None),
        ("../owner/name", None),
    ],
)
def test_hub_ids(text: str, found: HubId | None) -> None:
    """Paths of files that are not there are no repositories."""
    assert parse_hub_id(text) == found


def test_malformed_hub_id_is_refused() -> None:
    """Who says hf: means the hub."""
    with pytest.raises(InvalidArgument, match="no repository"):
        parse_hub_id("hf:name")
