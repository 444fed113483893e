# SPDX-License-Identifier: Apache-2.0
"""The files of a handshake are looked at before it."""

from pathlib import Path

import pytest

from tabard import InvalidArgument
from tabard.access.tls import PEM_BYTES_MAX, read_tls
from tests.clients.fakes.authority import Authority


def test_files_are_read(authority: Authority) -> None:
    """As gRPC takes them; a key is not shown."""
    pair = authority.sign("reader")

    found = read_tls(ca_file=authority.ca, certificate_files=pair.files)

    assert (found.ca, found.key) == (authority.ca.read_bytes(), pair.key.read_bytes())
    assert found.certificate == pair.certificate.read_bytes()
    assert "PRIVATE" not in repr(found)
    assert found.context().get_ca_certs()


def test_comments_of_any_language_are_passed_over(tmp_path: Path, authority: Authority) -> None:
    """As in the bundles of systems."""
    file = tmp_path / "ca.pem"
    file.write_bytes("# Főtanúsítvány\n".encode() + authority.ca.read_bytes())

    assert read_tls(ca_file=file, certificate_files=None).context().get_ca_certs()


@pytest.mark.parametrize(
    "content", [b"", "no PEM: ő".encode(), b"junk", b"\xff\xfe", b"x" * (PEM_BYTES_MAX + 1)]
)
def test_what_is_no_ca_is_refused(tmp_path: Path, content: bytes) -> None:
    """A hint says what it would begin with."""
    file = tmp_path / "ca.pem"
    file.write_bytes(content)

    with pytest.raises(InvalidArgument) as caught:
        read_tls(ca_file=file, certificate_files=None)

    assert (caught.value.reason, str(file) in str(caught.value)) == ("CERTIFICATE_INVALID", True)
    assert "BEGIN CERTIFICATE" in caught.value.hint


def test_missing_file_is_named(tmp_path: Path, authority: Authority) -> None:
    """Whichever it is."""
    pair = authority.sign("missing")

    for ca, files in (
        (tmp_path / "none", None),
        (None, (tmp_path / "none", pair.key)),
        (None, (pair.certificate, tmp_path / "none")),
    ):
        with pytest.raises(InvalidArgument, match=r"none' of the .* cannot be read") as caught:
            read_tls(ca_file=ca, certificate_files=files)
        assert caught.value.reason == "FILE_UNREADABLE"


def test_key_of_another_certificate_is_refused(authority: Authority) -> None:
    """They go together, or not at all."""
    one, other = authority.sign("one"), authority.sign("other")

    for files in ((one.certificate, other.key), (one.key, one.key), (one.key, one.certificate)):
        with pytest.raises(InvalidArgument, match="are no pair") as caught:
            read_tls(ca_file=None, certificate_files=files)
        assert caught.value.reason == "CERTIFICATE_INVALID"
