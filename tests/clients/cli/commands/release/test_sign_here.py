# SPDX-License-Identifier: Apache-2.0
"""`tabard sign` without a server: a digest is signed here, a release where the registry lies."""

from pathlib import Path
from typing import Any

import pytest

from tabard.cli import exit_codes
from tabard_registry import Registry, sha256_bytes
from tabard_registry.trust.signatures import Verifier, check_signed, is_signature
from tests.clients.cli.conftest import Tabard
from tests.registry.fakes import ref, small_manifest

DIGEST = sha256_bytes(b"a manifest")


def test_digest_is_signed_here(tabard: Tabard, tmp_path: Path, key: Any) -> None:
    """Without any registry; the signature is the answer."""
    ran = tabard("sign", DIGEST, "--key", tmp_path / "ann.pem", "--json")

    assert ran.document["key_id"] == key["id"]
    assert is_signature(ran.document["signature"], digest=DIGEST, public_key=key["public_key"])


def test_signed_release_is_served(tabard: Tabard, tmp_path: Path, key: Any, place: Path) -> None:
    """Trust a key, ask for signatures, sign: the way through."""
    assert tabard("key", "trust", "acme", key["public_key"], "--name", "ann").code == 0
    assert tabard("policy", "set", "acme", "--require-signature", "--registry", place).code == 0

    ran = tabard("sign", "acme/ink@1.0.0", "--key", tmp_path / "ann.pem", "--registry", place)

    assert (ran.code, "is signed by key" in ran.out) == (0, True)
    registry = Registry.open(str(place))
    check_signed(registry.state, registry.state.resolve(ref("1.0.0")), verifier=Verifier())
    assert registry.since(1)[0].record.actor == "alice"


def test_untrusted_key_is_refused(tabard: Tabard, tmp_path: Path, key: Any, place: Path) -> None:
    """Nothing is written with a key that the namespace does not trust."""
    ran = tabard("sign", "acme/ink@1.0.0", "--key", tmp_path / "ann.pem", "--registry", place)

    assert ran.code == exit_codes.NOT_FOUND
    assert "reason: KEY_NOT_FOUND" in ran.err
    assert Registry.open(str(place)).seq == 1


def test_variable_counts_when_no_server_is_named(
    tabard: Tabard, tmp_path: Path, key: Any, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for a pull: a server that is named is asked, else the registry at hand."""
    monkeypatch.delenv("TABARD_ADDRESS")
    tabard("key", "trust", "acme", key["public_key"], "--name", "ann")

    ran = tabard("sign", "acme/ink@1.0.0", "--key", tmp_path / "ann.pem", "--json")

    assert (ran.code, ran.document["release"]) == (0, "acme/ink@1.0.0")
    [signed] = Registry.open(str(place)).state.resolve(ref("1.0.0")).signatures
    assert signed.signature == ran.document["signature"]


def test_file_needs_a_release(tabard: Tabard, tmp_path: Path, key: Any) -> None:
    """A digest says nothing of files; a release of other files is not signed."""
    ran = tabard("sign", DIGEST, "--key", tmp_path / "ann.pem", "--file", tmp_path / "ann.pem")

    assert ran.code == exit_codes.USAGE


def test_other_files_are_not_signed(tabard: Tabard, tmp_path: Path, key: Any, place: Path) -> None:
    """Where the registry lies, too."""
    tabard("key", "trust", "acme", key["public_key"], "--name", "ann")
    told = ("--key", tmp_path / "ann.pem", "--registry", place, "--file")

    ran = tabard("sign", "acme/ink@1.0.0", *told, tmp_path / "ann.pem")

    assert (ran.code, "reason: FILE_MISMATCH" in ran.err) == (exit_codes.INVALID, True)


@pytest.mark.parametrize("content", [b"", b"nonsense", b"x" * (1 << 20)])
def test_other_files_are_no_keys(tabard: Tabard, tmp_path: Path, content: bytes) -> None:
    """Whatever is named as a key and is none."""
    (tmp_path / "file").write_bytes(content)

    ran = tabard("sign", DIGEST, "--key", tmp_path / "file")

    assert ran.code == exit_codes.INVALID
    assert "hint: " in ran.err


def test_other_releases_digest_is_not_signed(
    tabard: Tabard, tmp_path: Path, key: Any, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A log that calls another release's manifest this one's gets no signature."""
    tabard("key", "trust", "acme", key["public_key"], "--name", "ann")
    monkeypatch.setattr(Registry, "manifest", lambda *_: small_manifest("6.6.6"))

    ran = tabard("sign", "acme/ink@1.0.0", "--key", tmp_path / "ann.pem", "--registry", place)

    assert ran.code == exit_codes.INVALID
    assert "reason: MANIFEST_MISMATCH" in ran.err
    assert Registry.open(str(place)).state.resolve(ref("1.0.0")).signatures == ()
