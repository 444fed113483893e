# SPDX-License-Identifier: Apache-2.0
"""`tabard key …`: a key's life from the file it is made in to its revocation."""

import stat
from pathlib import Path
from typing import Any

import pytest

from tabard.cli import exit_codes
from tabard_registry import Registry, sha256_bytes
from tabard_registry.trust.signatures import Verifier, check_signed, is_signature
from tests.clients.cli.conftest import Tabard
from tests.registry.fakes import publish, ref, small_manifest

DIGEST = sha256_bytes(b"a manifest")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A registry with a release, named by the environment."""
    place = tmp_path / "registry"
    publish(Registry.open(str(place)), "1.0.0", folder=tmp_path)
    monkeypatch.setenv("TABARD_REGISTRY", str(place))
    return place


def made(tabard: Tabard, file: Path) -> Any:
    """Make a key; return what the command says of it."""
    ran = tabard("key", "new", file, "--json")
    assert ran.code == 0
    return ran.document


def test_new_key_is_the_owners_alone(tabard: Tabard, tmp_path: Path) -> None:
    """The private half is in a file that only its owner reads; it is not shown."""
    ran = tabard("key", "new", tmp_path / "ann.pem")

    content = (tmp_path / "ann.pem").read_text()
    assert ran.code == 0 and "public key" in ran.out and "key id" in ran.out
    assert content.startswith("-----BEGIN PRIVATE KEY-----")
    assert content.splitlines()[1] not in ran.out
    assert stat.S_IMODE((tmp_path / "ann.pem").stat().st_mode) == 0o600


def test_keys_are_never_overwritten(tabard: Tabard, tmp_path: Path) -> None:
    """A file that exists stays as it is."""
    made(tabard, tmp_path / "ann.pem")
    before = (tmp_path / "ann.pem").read_bytes()

    ran = tabard("key", "new", tmp_path / "ann.pem")

    assert ran.code == exit_codes.PRECONDITION
    assert (tmp_path / "ann.pem").read_bytes() == before


def test_digest_is_signed_here(tabard: Tabard, tmp_path: Path) -> None:
    """Without any registry; the signature is the answer."""
    key = made(tabard, tmp_path / "ann.pem")

    ran = tabard("key", "sign", DIGEST, "--key", tmp_path / "ann.pem", "--json")

    assert ran.document["key_id"] == key["id"]
    assert is_signature(ran.document["signature"], digest=DIGEST, public_key=key["public_key"])


def test_signed_release_is_served(tabard: Tabard, tmp_path: Path, place: Path) -> None:
    """Trust a key, ask for signatures, sign: the way through."""
    key = made(tabard, tmp_path / "ann.pem")
    assert tabard("key", "trust", "acme", key["public_key"], "--name", "ann").code == 0
    assert tabard("key", "policy", "acme", "--require-signature").code == 0

    ran = tabard("key", "sign", "acme/ink@1.0.0", "--key", tmp_path / "ann.pem")

    assert (ran.code, "is signed by key" in ran.out) == (0, True)
    registry = Registry.open(str(place))
    check_signed(registry.state, registry.resolve(ref("1.0.0")), verifier=Verifier())
    assert registry.since(1)[0].actor == "alice"


def test_keys_are_listed(tabard: Tabard, tmp_path: Path, place: Path) -> None:
    """With their standing, by namespace."""
    key = made(tabard, tmp_path / "ann.pem")
    tabard("key", "trust", "acme", key["public_key"], "--name", "ann")
    tabard("key", "policy", "acme", "--require-signature")
    tabard("key", "revoke", "acme", key["id"], "--reason", "stolen")

    listed = tabard("key", "list", "acme", "--json").document

    assert listed == [
        {
            "namespace": "acme",
            "id": key["id"],
            "public_key": key["public_key"],
            "name": "ann",
            "revoked": True,
            "require_signature": True,
        }
    ]
    assert "revoked" in tabard("key", "list").out
    assert tabard("key", "list", "other").out == "no keys\n"


def test_untrusted_key_is_refused(tabard: Tabard, tmp_path: Path, place: Path) -> None:
    """Nothing is written with a key that the namespace does not trust."""
    made(tabard, tmp_path / "ann.pem")

    ran = tabard("key", "sign", "acme/ink@1.0.0", "--key", tmp_path / "ann.pem")

    assert ran.code == exit_codes.NOT_FOUND
    assert "reason: KEY_NOT_FOUND" in ran.err
    assert Registry.open(str(place)).seq == 1


def test_policy_must_be_said(tabard: Tabard, place: Path) -> None:
    """Neither yes nor no is a wrong command line."""
    assert tabard("key", "policy", "acme").code == exit_codes.USAGE


def test_ref_needs_a_registry(
    tabard: Tabard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A ref is looked up somewhere."""
    monkeypatch.delenv("TABARD_REGISTRY", raising=False)
    made(tabard, tmp_path / "ann.pem")

    ran = tabard("key", "sign", "acme/ink@1.0.0", "--key", tmp_path / "ann.pem")

    assert ran.code == exit_codes.USAGE


@pytest.mark.parametrize("content", [b"", b"nonsense", b"x" * (1 << 20)])
def test_other_files_are_no_keys(tabard: Tabard, tmp_path: Path, content: bytes) -> None:
    """Whatever is named as a key and is none."""
    (tmp_path / "file").write_bytes(content)

    ran = tabard("key", "sign", DIGEST, "--key", tmp_path / "file")

    assert ran.code == exit_codes.INVALID
    assert "hint: " in ran.err


def test_every_key_command_has_help(tabard: Tabard) -> None:
    """Each with its options and --json."""
    for name in ("new", "sign", "trust", "revoke", "policy", "list"):
        ran = tabard("key", name, "--help")

        assert (ran.code, ran.err) == (0, "")
        assert "--json" in ran.out


def test_other_releases_digest_is_not_signed(
    tabard: Tabard, tmp_path: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A log that calls another release's manifest this one's gets no signature."""
    key = made(tabard, tmp_path / "ann.pem")
    tabard("key", "trust", "acme", key["public_key"], "--name", "ann")
    monkeypatch.setattr(Registry, "manifest", lambda *_: small_manifest("6.6.6"))

    ran = tabard("key", "sign", "acme/ink@1.0.0", "--key", tmp_path / "ann.pem")

    assert ran.code == exit_codes.INVALID
    assert "reason: MANIFEST_MISMATCH" in ran.err
    assert Registry.open(str(place)).resolve(ref("1.0.0")).signatures == ()
