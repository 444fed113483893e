# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from tabard_registry import Problem
from tests.registry.intake.files.raw_files import opened


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"PK\x03\x04" + b"\0" * 60, "zip archive"),
        (b"\x80\x02}q\x00(X" + b"\0" * 60, "Python pickle"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 60, "PNG"),
        (b"\xff\xd8\xff\xe0" + b"\0" * 60, "JPEG"),
        (b"  <!DOCTYPE html><html>", "HTML"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:", "git-lfs pointer"),
        (b'{"error": "not found"}', "JSON"),
        (b"GGUF" + b"\0" * 60, "GGUF"),
        (b"hello", "not a safetensors file"),
    ],
)
def test_stranger_is_named(content: bytes, what: str, tmp_path: Path) -> None:
    """What is not a safetensors file is called what it is, whatever its name says."""
    path = tmp_path / "style.safetensors"
    path.write_bytes(content)

    found = opened(path)

    assert isinstance(found, Problem) and found.reason == "NOT_SAFETENSORS"
    assert what in found.message
