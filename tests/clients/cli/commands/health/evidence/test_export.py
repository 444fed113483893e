# SPDX-License-Identifier: Apache-2.0
"""`tabard evidence export` writes what other tools read, signed or not."""

from __future__ import annotations

import base64
import json
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from securesystemslib.dsse import Envelope
from securesystemslib.signer import SSlibKey

from tabard_registry.evidence.documents import digest_of
from tabard_registry.evidence.report import Report
from tabard_registry.trust.signatures import new_key_pair
from tests.clients.cli.commands.health.evidence.conftest import REF
from tests.clients.cli.conftest import Tabard


def test_signed_statement_is_verified_by_others(
    tabard: Tabard, report: Report, tmp_path: Path
) -> None:
    """With the key's public half, and about the release's digest."""
    pair, key, target = new_key_pair(), tmp_path / "ann.pem", tmp_path / "report.intoto.json"
    key.write_bytes(pair.private_key_pem)

    ran = tabard("evidence", "export", REF, "--key", key, "--output", target)

    public = Ed25519PublicKey.from_public_bytes(base64.b64decode(pair.public_key))
    envelope = Envelope.from_dict(json.loads(target.read_bytes()))
    key_id = envelope.signatures and next(iter(envelope.signatures))
    envelope.verify([SSlibKey.from_crypto(public, keyid=key_id)], 1)
    said = json.loads(envelope.payload)
    assert ran.code == 0
    assert "WARNED, signed by key" in ran.out and "a person decides" in ran.out
    assert said["subject"][0]["digest"]["sha256"] == report.release.digest.hex
    assert said["predicate"]["configuration"][0]["digest"]["sha256"] == digest_of(report).hex
    assert pair.private_key_pem not in target.read_bytes()


def test_statement_is_shown_without_a_file(tabard: Tabard, report: Report) -> None:
    """Bare where there is no key."""
    ran = tabard("evidence", "export", REF)

    assert json.loads(ran.out)["predicate"]["result"] == "WARNED"
    assert tabard("evidence", "export", REF, "--json").document == json.loads(ran.out)


def test_other_file_stays(tabard: Tabard, report: Report, tmp_path: Path) -> None:
    """Unless it may be replaced; the same again is no change."""
    target = tmp_path / "report.json"
    target.write_text("mine", encoding="utf-8")

    refused = tabard("evidence", "export", REF, "--output", target)
    forced = [tabard("evidence", "export", REF, "--output", target, "--force") for _ in range(2)]

    assert refused.code != 0 and "FILE_EXISTS" in refused.err
    assert [one.code for one in forced] == [0, 0]


def test_no_key_is_refused_first(tabard: Tabard, report: Report, tmp_path: Path) -> None:
    """Before a server is asked."""
    key = tmp_path / "x.pem"
    key.write_bytes(b"nonsense")

    assert tabard("evidence", "export", REF, "--key", key).code == 4
