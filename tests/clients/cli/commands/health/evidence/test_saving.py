# SPDX-License-Identifier: Apache-2.0
"""Nothing that a server says is believed when files are written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tabard.cli.commands.health.evidence.saving import save
from tabard.cli.output import Output
from tabard.errors import AlreadyExists, Internal
from tabard.health.evidence import EvidenceDocument
from tabard_registry import sha256_bytes
from tests.clients.health.documents import found

OUTPUT = Output(is_json=True)


class Sender:
    """Sends the same bytes for every picture."""

    def __init__(self, png: bytes) -> None:
        self.png = png

    def evidence_picture(self, _ref: str, **_said: Any) -> bytes:
        """Give a picture."""
        return self.png


def document(**said: Any) -> EvidenceDocument:
    """A document whose digest is true."""
    made = found("references", **said)
    digest = str(sha256_bytes(made.content))
    return replace(made, note=replace(made.note, digest=digest))


def saved(made: EvidenceDocument, folder: Path, *, png: bytes = b"png") -> tuple[Path, ...]:
    """Save it."""
    sender: Any = Sender(png)
    return save(sender, "acme/ink", found=made, folder=folder, output=OUTPUT)


def test_picture_with_other_bytes_is_refused(tmp_path: Path) -> None:
    """The digest says what it has to be."""
    made = document(pictures=[str(sha256_bytes(b"png"))])

    assert len(saved(made, tmp_path / "good")) == 2
    with pytest.raises(Internal) as refused:
        saved(made, tmp_path / "bad", png=b"other")

    assert refused.value.reason == "DOWNLOAD_DAMAGED"


@pytest.mark.parametrize("digest", ["../../etc/passwd", "sha256:", "sha256:" + "A" * 64])
def test_picture_with_no_digest_is_refused(tmp_path: Path, digest: str) -> None:
    """It would name a file."""
    with pytest.raises(Internal) as refused:
        saved(document(pictures=[digest]), tmp_path)

    assert refused.value.reason == "ANSWER_DAMAGED"


def test_other_file_is_not_overwritten(tmp_path: Path) -> None:
    """What somebody keeps there stays."""
    (tmp_path / "evidence.json").write_text("mine", encoding="utf-8")

    with pytest.raises(AlreadyExists):
        saved(document(pictures=[]), tmp_path)
