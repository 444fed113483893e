# SPDX-License-Identifier: Apache-2.0
"""`tabard report`."""

from __future__ import annotations

import hashlib
from pathlib import Path

from tests.clients.cli.conftest import Tabard
from tests.clients.fakes.real_server import RealServer


def test_picture_is_complained_of(server: RealServer, tabard: Tabard, tmp_path: Path) -> None:
    """By its file, its digest, or its job."""
    server.publish("acme/ink")
    ran = tabard(
        *("generate", "x", "--adapter", "acme/ink@1.0.0", "--steps", 1),
        *("--out", tmp_path, "--json"),
    )
    (path,) = tmp_path.glob("*.png")
    digest = "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()

    for image in (path, digest, ran.document["job_id"]):
        told = tabard("report", image, "style_mismatch")
        assert told.code == 0
        assert "drawn by acme/ink@1.0.0; it counts in no canary" in told.out


def test_unknown_picture_is_said(tabard: Tabard) -> None:
    """And an unknown label, with what it may be."""
    unknown, label = tabard("report", "nothing", "artifact"), tabard("report", "nothing", "ugly")

    assert unknown.code != 0
    assert "knows no such picture" in unknown.err
    assert label.code == 2
    assert "style_mismatch" in label.err
