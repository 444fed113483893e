# SPDX-License-Identifier: Apache-2.0
"""What lies beside an adapter's file is read with care."""

import json
import os
from pathlib import Path

import pytest

from tabard.cli.files.sidecars import read_sidecars


@pytest.mark.parametrize(
    "body",
    [b"", b"[1]", b"{", b"\xff\xfe", b"[" * 100_000, b'{"trainedWords": {"a": 1}}', b"x" * 2**21],
)
def test_damaged_sidecar_says_nothing(body: bytes, tmp_path: Path) -> None:
    """A sidecar is a courtesy, never a reason to fail."""
    (tmp_path / "a.json").write_bytes(body)

    assert read_sidecars(tmp_path / "a.safetensors").trigger_words == ()


def test_manager_of_comfyui_is_read(tmp_path: Path) -> None:
    """Its metadata holds what the site says."""
    document = {"civitai": {"trainedWords": ["a, b", "b", "c" * 201]}, "notes": " soft "}
    (tmp_path / "a.metadata.json").write_text(json.dumps(document))

    found = read_sidecars(tmp_path / "a.safetensors")

    assert (found.trigger_words, found.notes) == (("a", "b"), "soft")


def test_first_sidecar_that_speaks_is_believed(tmp_path: Path) -> None:
    """Words from one, notes from the next; too many words are cut."""
    (tmp_path / "a.civitai.info").write_text(json.dumps({"trainedWords": ["ink"]}))
    document = {"activation text": "other", "description": "use at 0.7"}
    (tmp_path / "a.json").write_text(json.dumps(document))
    (tmp_path / "b.json").write_text(json.dumps({"activation text": ",".join(map(str, range(99)))}))

    found = read_sidecars(tmp_path / "a.safetensors")

    assert (found.trigger_words, found.notes) == (("ink",), "use at 0.7")
    assert len(read_sidecars(tmp_path / "b.safetensors").trigger_words) == 32


def test_linked_sidecar_is_passed_over(tmp_path: Path) -> None:
    """A link may lead out of the folder."""
    (tmp_path / "elsewhere").write_text(json.dumps({"notes": "secret"}))
    (tmp_path / "a.json").symlink_to(tmp_path / "elsewhere")

    assert read_sidecars(tmp_path / "a.safetensors").notes == ""


def test_notes_lose_what_steers(tmp_path: Path) -> None:
    """A registry would refuse them; lines and tabs stay."""
    (tmp_path / "a.json").write_text(json.dumps({"notes": "one\r\n\ttwo\x1b[2J\u202e"}))

    assert read_sidecars(tmp_path / "a.safetensors").notes == "one\n\ttwo[2J"


def test_half_a_character_is_lost(tmp_path: Path) -> None:
    """JSON can escape one; a message cannot hold it."""
    (tmp_path / "a.json").write_text(r'{"notes": "x\ud800y"}')

    assert read_sidecars(tmp_path / "a.safetensors").notes == "xy"


def test_sidecar_that_is_no_file_says_nothing(tmp_path: Path) -> None:
    """A pipe beside an adapter would be waited for without end."""
    os.mkfifo(tmp_path / "a.civitai.info")
    (tmp_path / "a.json").mkdir()

    assert read_sidecars(tmp_path / "a.safetensors").notes == ""
