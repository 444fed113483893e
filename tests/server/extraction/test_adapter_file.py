# SPDX-License-Identifier: Apache-2.0
"""A safetensors file written tensor by tensor: equal bytes, nothing left behind."""

from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from tabard_server.extraction.adapter_file import AdapterFile

TENSORS = {
    "b.alpha": torch.tensor(4.0),
    "a.diff": torch.arange(6.0).view(2, 3).T,
    "c.half": torch.ones(3, dtype=torch.float16),
}


def write(path: Path, *, is_kept: bool = True) -> Path:
    """Write them; return the path of the finished file before it has its name."""
    with AdapterFile(path) as file:
        for key, tensor in TENSORS.items():
            file.add(key, tensor)
        file.finish({"z": "last", "a": "first"})
        if is_kept:
            file.keep()
        return file.unnamed


def test_file_is_plain_safetensors(tmp_path: Path) -> None:
    """Every reader finds the tensors, in float32 and in plain order, and the words."""
    write(tmp_path / "out")

    found = load_file(tmp_path / "out")
    assert found.keys() == TENSORS.keys()
    assert all(torch.equal(found[key], tensor.float()) for key, tensor in TENSORS.items())
    with safe_open(str(tmp_path / "out"), framework="pt") as file:
        assert file.metadata() == {"a": "first", "z": "last"}


def test_equal_tensors_make_equal_bytes(tmp_path: Path) -> None:
    """Whatever the file is called; tensors begin where a machine reads them well."""
    for name in ("one", "two"):
        write(tmp_path / name)

    content = (tmp_path / "one").read_bytes()
    assert content == (tmp_path / "two").read_bytes()
    assert (8 + int.from_bytes(content[:8], "little")) % 8 == 0


def test_unkept_file_leaves_nothing(tmp_path: Path) -> None:
    """What was finished is gone with its block, and what stood under the name stays."""
    (tmp_path / "out").write_text("mine")

    unnamed = write(tmp_path / "out", is_kept=False)

    assert not unnamed.exists()
    assert [one.read_text() for one in tmp_path.iterdir()] == ["mine"]


def test_failed_writing_leaves_nothing(tmp_path: Path) -> None:
    """Neither half a file nor the tensors that waited beside it."""
    with pytest.raises(KeyError), AdapterFile(tmp_path / "out") as file:
        file.add("a", torch.ones(3))
        raise KeyError

    assert list(tmp_path.iterdir()) == []


def test_key_is_written_once(tmp_path: Path) -> None:
    """Two tensors of one name would be one of them."""
    with AdapterFile(tmp_path / "out") as file:
        file.add("a", torch.ones(3))
        with pytest.raises(AssertionError):
            file.add("a", torch.ones(3))
