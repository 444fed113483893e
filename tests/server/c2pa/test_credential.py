# SPDX-License-Identifier: Apache-2.0
"""A certificate and its key: read once, seen to fit, and refused by the setting that is wrong."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tabard_server.c2pa.credential import read_credential
from tabard_server.c2pa.settings import C2paSettings
from tabard_server.errors import BadSettings
from tests.server.c2pa.authority import DAY, NOW, SUBJECT, Issued, issue, key_pem, new_key


def test_credential_says_whose_and_until_when(tmp_path: Path) -> None:
    """Of the certificates the first that ends counts; the key is told to nobody."""
    issued = issue(tmp_path, until=NOW + 3 * DAY)

    found = read_credential(issued.settings, now=NOW)

    assert found.subject == SUBJECT
    assert found.expires_at == (NOW + 3 * DAY).replace(microsecond=0)
    assert found.chain == issued.certificate.read_bytes()
    assert "PRIVATE" not in repr(found)


@pytest.mark.parametrize(
    ("kind", "algorithm"),
    [("p256", "es256"), ("p384", "es384"), ("rsa", "ps256"), ("ed25519", "ed25519")],
)
def test_algorithm_goes_with_the_key(tmp_path: Path, kind: str, algorithm: str) -> None:
    """Nobody has to know its name."""
    assert read_credential(issue(tmp_path, kind=kind).settings, now=NOW).algorithm == algorithm


def drop_key(issued: Issued) -> None:
    issued.key.unlink()


def drop_certificate(issued: Issued) -> None:
    issued.certificate.unlink()


def take_another_key(issued: Issued) -> None:
    issued.key.write_bytes(key_pem(new_key()))


def lock_key(issued: Issued) -> None:
    issued.key.write_bytes(key_pem(new_key(), passphrase=b"open"))


def mix_up(issued: Issued) -> None:
    issued.key.write_bytes(issued.certificate.read_bytes())


def cut_off(issued: Issued) -> None:
    issued.certificate.write_bytes(issued.certificate.read_bytes()[:300])


@pytest.mark.parametrize(
    ("spoil", "name", "reason", "words"),
    [
        (drop_key, "key", "C2PA_CREDENTIAL_UNREADABLE", "No such file"),
        (drop_certificate, "certificate", "C2PA_CREDENTIAL_UNREADABLE", "No such file"),
        (take_another_key, "key", "C2PA_CREDENTIAL_MISMATCH", "not the key of the certificate"),
        (lock_key, "key", "C2PA_CREDENTIAL_UNREADABLE", "passphrase"),
        (mix_up, "key", "C2PA_CREDENTIAL_UNREADABLE", "no private key"),
        (cut_off, "certificate", "C2PA_CREDENTIAL_UNREADABLE", "no certificate"),
    ],
)
def test_files_that_do_not_fit_are_refused(
    tmp_path: Path, spoil: Callable[[Issued], None], name: str, reason: str, words: str
) -> None:
    """With the setting that is wrong, and what to do; what a key holds is never said."""
    issued = issue(tmp_path)
    secret = issued.key.read_text().splitlines()[1]
    spoil(issued)

    with pytest.raises(BadSettings, match=words) as refusal:
        read_credential(issued.settings, now=NOW)

    assert (refusal.value.names, refusal.value.reason) == ((f"c2pa.{name}",), reason)
    assert refusal.value.hint and secret not in str(refusal.value)


@pytest.mark.parametrize(
    ("now", "words"),
    [(NOW + 31 * DAY, "expired at"), (NOW - 31 * DAY, "not valid before")],
)
def test_certificate_out_of_its_time_is_refused(tmp_path: Path, now: datetime, words: str) -> None:
    """Before it, and from its end on."""
    issued = issue(tmp_path)

    with pytest.raises(BadSettings, match=words) as refusal:
        read_credential(issued.settings, now=now.astimezone(UTC))

    assert refusal.value.reason == "C2PA_CERTIFICATE_EXPIRED"


@pytest.mark.parametrize(("kind", "said"), [("p256", "es384"), ("k1", "auto"), ("rsa", "es256")])
def test_algorithm_of_another_key_is_refused(tmp_path: Path, kind: str, said: str) -> None:
    """Also of a key that Content Credentials know none for."""
    issued = issue(tmp_path, kind=kind)
    settings = C2paSettings(
        certificate=str(issued.certificate),
        key=str(issued.key),
        algorithm=said,  # type: ignore[arg-type]
    )

    with pytest.raises(BadSettings) as refusal:
        read_credential(settings, now=NOW)

    assert refusal.value.names == ("c2pa.algorithm",)
