# SPDX-License-Identifier: Apache-2.0
"""`tabard check` with a server: the report is the answer, and the exit code says it too."""

from pathlib import Path

import pytest

from tests.clients.cli.conftest import Tabard


def test_check_accepts_good_file(tabard: Tabard, style_file: Path) -> None:
    """Everything in the file would be applied."""
    ran = tabard("check", style_file)

    assert ran.code == 0
    assert "accepted: watercolor.safetensors" in ran.out
    assert "192 of 192" in ran.out


def test_check_refuses_bad_file(tabard: Tabard, refused_file: Path) -> None:
    """The report is the answer, as text and as JSON; the exit code says refused."""
    text = tabard("check", refused_file)
    ran = tabard("check", refused_file, "--json")

    assert (text.code, ran.code) == (4, 4)
    assert "problem UNKNOWN_KEYS: 2 keys fit no module of the base" in text.out
    assert "lora_unet_x.alpha" in text.out
    assert ran.document["problems"][0]["remedy"] == "train it on sd1"
    assert ran.document["files"] == [refused_file.name]


def test_check_needs_base_or_server(
    tabard: Tabard, style_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without either there is nothing to check against."""
    monkeypatch.delenv("TABARD_ADDRESS")

    ran = tabard("check", style_file)

    assert (ran.code, "--base" in ran.err) == (2, True)
