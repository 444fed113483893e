# SPDX-License-Identifier: Apache-2.0
"""Compose files by docker compose itself, images by hadolint, certificates by a handshake."""

import json
import os
import socket
import ssl
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.tools import tool
from tests.root import ROOT

pytestmark = pytest.mark.deploy

DEPLOY = ROOT / "deploy"
SECRETS = {"GRAFANA_PASSWORD": "x", "S3_ACCESS_KEY": "a", "S3_SECRET_KEY": "b"}
NETWORK = ("compose.yaml", "compose.network.yaml")
IMAGES = ("Dockerfile", "Dockerfile.cpu", "s3/Dockerfile")
# Debian's packages are not pinned: a release of Debian keeps the newest one only.
UNPINNED = "DL3008"


def composed(*files: str, profile: str, **variables: str) -> Any:
    """Return what compose makes of files, or its refusal as a text."""
    names = [f"--file={DEPLOY / file}" for file in files]
    ran = subprocess.run(
        [tool("docker-compose"), *names, f"--profile={profile}", "config", "--format=json"],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"], "HOME": "/nowhere", **variables},
    )
    return json.loads(ran.stdout) if ran.returncode == 0 else ran.stderr


@pytest.mark.parametrize(
    ("profile", "servers"), [("cpu", {"tabard"}), ("gpu", {"tabard-gpu-0", "tabard-gpu-1"})]
)
@pytest.mark.parametrize("files", [NETWORK[:1], NETWORK])
def test_compose_reads_its_files(files: tuple[str, ...], profile: str, servers: set[str]) -> None:
    """Both profiles, alone and for a network; nobody but Envoy is reached from elsewhere there."""
    found = composed(*files, profile=profile, **SECRETS)

    services = found["services"]
    assert {name for name in services if name.startswith("tabard")} == servers
    open_ports = {
        name
        for name, one in services.items()
        for port in one.get("ports", ())
        if port.get("host_ip") != "127.0.0.1"
    }
    assert open_ports == ({"envoy"} if files == NETWORK else set())
    for one in services.values():
        for volume in one.get("volumes", ()):
            path = volume["source"]
            is_made = "certificates" in path
            assert volume["type"] == "volume" or is_made or Path(path).exists(), path


def test_network_needs_passwords() -> None:
    """What everybody knows is no password where others come."""
    refusal = composed(*NETWORK, profile="cpu")

    assert "required variable" in refusal
    assert "is missing a value: set" in refusal


def test_network_has_one_command_each() -> None:
    """What is said anew takes the place of what was said: no address stays open beside it."""
    found = composed(*NETWORK, profile="cpu", **SECRETS)["services"]

    assert "--address=grpcs://envoy:50051" in found["gateway"]["command"]
    assert not any(word == "--address=envoy:50051" for word in found["gateway"]["command"])
    assert [port["published"] for port in found["envoy"]["ports"]] == ["50051"]
    assert found["tabard"]["environment"]["TABARD_INSECURE"] == "false"


@pytest.mark.parametrize("image", IMAGES)
def test_hadolint_finds_nothing(image: str) -> None:
    """Of recipes, and of the shell in them."""
    command = [tool("hadolint"), "--ignore", UNPINNED, str(DEPLOY / image)]

    ran = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (ran.returncode, ran.stdout) == (0, "")


def certify(folder: Path, *names: str) -> "subprocess.CompletedProcess[str]":
    """Make certificates for names."""
    return subprocess.run(
        ["bash", str(DEPLOY / "compose" / "certificates.sh"), *names],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"], "TABARD_CERTIFICATES": str(folder)},
    )


@pytest.mark.parametrize("name", ["tabard.example", "envoy", "127.0.0.1"])
def test_certificates_are_believed(tmp_path: Path, name: str) -> None:
    """By who trusts the CA, under each name; nobody else does."""
    folder = tmp_path / "certificates"
    assert certify(folder, "tabard.example").returncode == 0
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(folder / "envoy.pem", folder / "envoy.key")
    caller = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    here, there = socket.socketpair()

    def serve() -> None:
        with served.wrap_socket(there, server_side=True) as sealed:
            sealed.sendall(b"1")

    thread = threading.Thread(target=serve)
    thread.start()
    with caller.wrap_socket(here, server_hostname=name) as sealed:
        assert sealed.recv(1) == b"1"
    thread.join()


def test_certificates_are_not_lost(tmp_path: Path) -> None:
    """Those that are there stay, and without a name none is made."""
    assert certify(tmp_path / "none").returncode == 2
    assert certify(tmp_path / "some", "a.example").returncode == 0
    before = (tmp_path / "some" / "envoy.pem").read_bytes()

    again = certify(tmp_path / "some", "b.example")

    assert again.returncode == 1
    assert (tmp_path / "some" / "envoy.pem").read_bytes() == before
