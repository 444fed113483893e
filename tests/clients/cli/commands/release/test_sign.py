# SPDX-License-Identifier: Apache-2.0
"""`tabard sign`: a signature goes to what was checked, and to nothing else."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tabard_registry.refs.digest import Digest
from tabard_registry.trust.signatures import is_signature, new_key_pair, public_key_of
from tests.clients.cli.conftest import Tabard
from tests.clients.fakes.server import FakeServer

REF = "acme/watercolor@1.0.0"


@pytest.fixture
def signable(server: FakeServer, published: Tabard) -> Callable[..., None]:
    """Give what makes the server's manifest: true, of a name, made from some bytes."""

    def make(*, adapter: str = "acme/watercolor", original: bytes = b"style" * 300_000) -> None:
        document = {
            "adapter": adapter,
            "version": "1.0.0",
            "original": [["x", f"sha256:{hashlib.sha256(original).hexdigest()}", len(original)]],
        }
        server.state.manifest = json.dumps(document).encode()
        release = server.state.releases["acme/watercolor"][-1]
        release.digest = f"sha256:{hashlib.sha256(server.state.manifest).hexdigest()}"

    return make


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    """Write a private key."""
    path = tmp_path / "ann.pem"
    path.write_bytes(new_key_pair().private_key_pem)
    return path


def test_sign_checks_then_signs(
    published: Tabard,
    server: FakeServer,
    signable: Callable[..., None],
    key_file: Path,
    style_file: Path,
) -> None:
    """The signature is true, goes to the digest that was checked, and is shown."""
    signable()

    ran = published("sign", REF, "--key", key_file, "--file", style_file)

    release = server.state.releases["acme/watercolor"][-1]
    request = server.state.requests[-1]
    assert (ran.code, request.ref) == (0, f"acme/watercolor@{release.digest}")
    assert f"signed by key {request.key_id}" in ran.out
    assert is_signature(
        request.signature,
        digest=Digest.parse(release.digest),
        public_key=public_key_of(key_file.read_bytes()),
    )
    assert f"key {request.key_id}" in published("show", REF).out


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"original": b"another"}, "FILE_MISMATCH"), ({"adapter": "acme/x"}, "MANIFEST_MISMATCH")],
)
def test_sign_refuses_what_is_another(
    published: Tabard,
    server: FakeServer,
    signable: Callable[..., None],
    key_file: Path,
    style_file: Path,
    change: dict[str, object],
    reason: str,
) -> None:
    """A release of other bytes or another name is not signed."""
    signable(**change)

    ran = published("sign", REF, "--key", key_file, "--file", style_file)

    assert (ran.code, f"reason: {reason}" in ran.err) == (4, True)
    assert not server.state.releases["acme/watercolor"][-1].signatures


def test_sign_refuses_other_files_as_key(
    published: Tabard, signable: Callable[..., None], other_file: Path
) -> None:
    """What is no private key is told as that."""
    signable()

    ran = published("sign", REF, "--key", other_file)

    assert (ran.code, "not an Ed25519 private key" in ran.err) == (4, True)


@pytest.mark.parametrize("missing", ["--key", "--file"])
def test_file_that_is_not_there_is_told(
    published: Tabard,
    signable: Callable[..., None],
    key_file: Path,
    style_file: Path,
    tmp_path: Path,
    missing: str,
) -> None:
    """As with every other command that reads a file."""
    signable()
    files = {"--key": key_file, "--file": style_file} | {missing: tmp_path / "no"}

    ran = published("sign", REF, *(word for pair in files.items() for word in pair))

    assert (ran.code, "reason: FILE_UNREADABLE" in ran.err) == (4, True)
