# SPDX-License-Identifier: Apache-2.0
"""One file of a whole model: mapped, or refused in our own words."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from tabard_server.engine.base.files.tensor_file import TENSORS_MAX, open_tensor_file, unreadable
from tabard_server.engine_port.errors import BaseNotLoadable

EMPTY = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}


def _header(entries: dict[str, Any], *, data: bytes = bytes(4)) -> bytes:
    text = json.dumps(entries).encode()
    return len(text).to_bytes(8, "little") + text + data


def test_tensors_come_as_they_are(tmp_path: Path) -> None:
    """Names, dtypes and numbers, with the texts of the header; a mark may have no numbers."""
    tensors = {
        "a": torch.arange(3.0),
        "b": torch.ones(2, dtype=torch.bfloat16),
        "c": torch.ones(2).to(torch.float8_e4m3fn),
        "v_pred": torch.tensor([]),
    }
    save_file(tensors, str(tmp_path / "x"), metadata={"said": "so"})

    found = open_tensor_file(tmp_path / "x")

    assert found.metadata == {"said": "so"}
    assert found.tensors.keys() == tensors.keys()
    for key, tensor in tensors.items():
        assert found.tensors[key].dtype == tensor.dtype
        assert torch.equal(found.tensors[key].float(), tensor.float())


@pytest.mark.parametrize(
    ("content", "says", "hint"),
    [
        (b"", "is empty", "download it again"),
        (b"\x80\x04K\x01.", "a Python pickle", "pickled weights are not read"),
        (b"PK\x03\x04" + bytes(60), "a zip archive", "pickled weights are not read"),
        (b"GGUF" + bytes(60), "a GGUF model", "quantised"),
        (b"version https://git-lfs.github.com/spec/v1", "git-lfs", "git lfs pull"),
        (b"<!doctype html><html>", "an HTML page", "download it again"),
        (b"\xff" * 64, "not a safetensors file", "download it again"),
        (b"\xff" * 4 + bytes(4) + b"{" + b"x" * 60, "4294967295 bytes, and at most", "download"),
        (
            _header({"a": {"dtype": "F32", "shape": [10**9, 10**9], "data_offsets": [0, 4]}}),
            "not a whole safetensors file",
            "download",
        ),
        (
            _header({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 10**15]}}),
            "not a whole safetensors file",
            "download",
        ),
        (
            _header({str(n): EMPTY for n in range(TENSORS_MAX + 1)}, data=b""),
            "holds 50001 tensors, and at most",
            "of a family that is served",
        ),
        (b"\x10" + bytes(7) + b"{" + b"x" * 60, "not a whole safetensors file", "download"),
    ],
)
def test_anything_else_is_refused(tmp_path: Path, content: bytes, says: str, hint: str) -> None:
    """What it is instead, and what to do, and never the words of a library."""
    (tmp_path / "x").write_bytes(content)

    with pytest.raises(BaseNotLoadable, match=says) as caught:
        open_tensor_file(tmp_path / "x")

    assert hint in caught.value.hint
    assert str(tmp_path / "x") in str(caught.value)


@pytest.mark.parametrize("lost", [1, 4, 300, 360])
def test_half_a_file_is_refused(tmp_path: Path, lost: int) -> None:
    """A download that broke off, in the numbers or in the header."""
    save_file({"a": torch.arange(80.0)}, str(tmp_path / "x"))
    (tmp_path / "x").write_bytes((tmp_path / "x").read_bytes()[:-lost])

    with pytest.raises(BaseNotLoadable, match="not a whole safetensors file"):
        open_tensor_file(tmp_path / "x")


def test_path_that_does_not_open_says_why(tmp_path: Path) -> None:
    """Nothing there, a folder, and links in a circle."""
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    (tmp_path / "folder").mkdir()

    for name, says in {"gone": "No such", "folder": "directory", "circle": "symbolic"}.items():
        with pytest.raises(BaseNotLoadable, match=says):
            open_tensor_file(tmp_path / name)


def test_refusal_says_who_may_read(tmp_path: Path) -> None:
    """What the system says of rights is told by its own word."""
    found = unreadable(tmp_path, PermissionError(13, "Permission denied"))

    assert "Permission denied" in str(found)
    assert "who may read it" in found.hint
