# SPDX-License-Identifier: Apache-2.0
"""Signed files, read by the library's own reader, which trusts the CA of these tests alone."""

import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from tabard_server.c2pa.credential import read_credential
from tabard_server.c2pa.manifest import manifest_of
from tabard_server.c2pa.settings import C2paSettings
from tabard_server.c2pa.signer import Signer, signer_for
from tabard_server.errors import BadSettings, JobFailed
from tabard_server.output.marking import COMPOSITE
from tests.server.c2pa.authority import DAY, NOW, Issued, issue, key_pem, new_key, read
from tests.server.harness import pixels_of
from tests.server.output.made_pictures import encode, picture

MANIFEST = manifest_of(source=COMPOSITE, inputs={"input picture": "aa"}, version="1.2")
KINDS = ["PNG", "JPEG", "WEBP"]


@pytest.fixture(scope="module")
def issued(tmp_path_factory: pytest.TempPathFactory) -> Issued:
    return issue(tmp_path_factory.mktemp("credential"))


@pytest.fixture(scope="module")
def signer(issued: Issued) -> Signer:
    found = signer_for(issued.settings)
    assert found is not None
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_signed_file_is_trusted(kind: str, issued: Issued, signer: Signer) -> None:
    """It says who made it, how and from what; its pixels are those that were."""
    content, media_type = encode(picture(), kind), f"image/{kind.lower()}"

    signed = signer.sign(content, media_type=media_type, manifest=MANIFEST)

    seen = read(signed, ca=issued.ca, media_type=media_type)
    assert (seen.state, seen.failures) == ("Trusted", [])
    maker = seen.manifest["claim_generator_info"][0]
    assert (maker["name"], maker["version"]) == ("Tabard", "1.2")
    assert (seen.action["action"], seen.action["digitalSourceType"]) == ("c2pa.created", COMPOSITE)
    (ingredient,) = seen.manifest["ingredients"]
    assert (ingredient["instance_id"], ingredient["relationship"]) == ("sha256:aa", "inputTo")
    assert "thumbnail" not in seen.manifest
    assert np.array_equal(pixels_of(signed), pixels_of(content))


@pytest.mark.parametrize("kind", KINDS)
def test_flipped_bit_is_noticed(kind: str, issued: Issued, signer: Signer) -> None:
    """Of the pixels as they are written."""
    media_type = f"image/{kind.lower()}"
    content = encode(picture(), kind)
    signed = bytearray(signer.sign(content, media_type=media_type, manifest=MANIFEST))

    middle = len(content) // 2
    signed[signed.index(content[middle : middle + 32])] ^= 1

    seen = read(bytes(signed), ca=issued.ca, media_type=media_type)
    assert (seen.state, seen.failures) == ("Invalid", ["assertion.dataHash.mismatch"])


def test_other_ca_is_not_trusted(signer: Signer, tmp_path: Path) -> None:
    """The signature holds, and nobody knows whose it is."""
    signed = signer.sign(encode(picture()), media_type="image/png", manifest=MANIFEST)

    seen = read(signed, ca=issue(tmp_path).ca)

    assert (seen.state, seen.failures) == ("Valid", ["signingCredential.untrusted"])


@pytest.mark.parametrize("kind", ["p384", "rsa", "ed25519"])
def test_every_kind_of_key_signs(kind: str, tmp_path: Path) -> None:
    """As far as a credential may have it."""
    issued = issue(tmp_path, kind=kind)
    other = signer_for(issued.settings)
    assert other is not None

    signed = other.sign(encode(picture()), media_type="image/png", manifest=MANIFEST)

    assert read(signed, ca=issued.ca).state == "Trusted"


def test_threads_sign_at_once(issued: Issued, signer: Signer) -> None:
    """One signer serves all that write images."""
    signed: list[bytes] = []

    def sign() -> None:
        for _ in range(5):
            signed.append(signer.sign(encode(picture()), media_type="image/png", manifest=MANIFEST))

    threads = [threading.Thread(target=sign) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [read(one, ca=issued.ca).state for one in signed] == ["Trusted"] * 20


def test_expired_certificate_signs_nothing(tmp_path: Path) -> None:
    """One that a server began with, and that ended while it ran."""
    issued = issue(tmp_path, until=NOW - DAY)
    credential = read_credential(issued.settings, now=NOW - 2 * DAY)

    with pytest.raises(BadSettings) as refusal:
        Signer(credential)

    assert refusal.value.reason == "C2PA_CREDENTIAL_REFUSED"


def test_failure_to_sign_is_told_without_the_cause(signer: Signer) -> None:
    """What the library says is for the log."""
    with pytest.raises(JobFailed, match="could not be signed") as failure:
        signer.sign(b"no picture", media_type="image/png", manifest=MANIFEST)

    assert failure.value.reason == "SIGNING_FAILED"
    assert failure.value.__cause__ is not None


@pytest.mark.parametrize("usage", [None, ExtendedKeyUsageOID.SERVER_AUTH])
def test_certificate_for_something_else_is_refused(tmp_path: Path, usage: object) -> None:
    """As that of a web server, which C2PA does not take."""
    issued = issue(tmp_path, usage=usage)

    with pytest.raises(BadSettings) as refusal:
        signer_for(issued.settings)

    assert refusal.value.reason == "C2PA_CREDENTIAL_REFUSED"
    assert "emailProtection" in refusal.value.hint


def test_absent_library_is_told(issued: Issued, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to install; who signs nothing does not need it."""
    monkeypatch.setattr("tabard_server.c2pa.signer.find_spec", lambda _name: None)
    assert signer_for(C2paSettings()) is None

    with pytest.raises(BadSettings) as refusal:
        signer_for(issued.settings)

    assert (refusal.value.reason, refusal.value.names) == ("EXTRA_MISSING", ("c2pa.certificate",))
    assert "tabard[c2pa]" in refusal.value.hint


def test_library_comes_with_the_first_signer() -> None:
    """Servers that sign nothing do not load it, installed or not."""
    script = "import sys, tabard_server.app; print('c2pa' in sys.modules)"

    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert ran.stdout.split() == ["False"]


def test_key_stays_where_it_is(issued: Issued, signer: Signer) -> None:
    """Neither the signer nor its credential shows it, nor does what is signed hold it."""
    secret = issued.key.read_text().splitlines()[1]
    signed = signer.sign(encode(picture()), media_type="image/png", manifest=MANIFEST)

    assert secret not in repr(signer) + repr(signer.credential) + str(vars(signer))
    assert secret.encode() not in signed
    assert key_pem(new_key()) not in signed
