# SPDX-License-Identifier: Apache-2.0
"""Tensors of a file, or why it is not read."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from tabard_server.extraction.errors import TunedModelUnreadable
from tabard_server.extraction.tuned_model import read_tensors


def test_tensors_come_as_they_are(tmp_path: Path) -> None:
    """Names, dtypes and numbers."""
    tensors = {"a": torch.arange(3.0), "b": torch.ones(2, dtype=torch.bfloat16)}
    save_file(tensors, str(tmp_path / "x"))

    found = read_tensors(tmp_path / "x")

    assert found.keys() == tensors.keys()
    assert all(found[key].dtype == tensor.dtype for key, tensor in tensors.items())
    assert all(torch.equal(found[key], tensor) for key, tensor in tensors.items())


@pytest.mark.parametrize("content", [b"", b"\x80\x04K\x01.", b"\xff" * 64, None])
def test_anything_else_is_refused(tmp_path: Path, content: bytes | None) -> None:
    """Nothing, a pickle, noise, and a file that is not there."""
    if content is not None:
        (tmp_path / "x").write_bytes(content)

    with pytest.raises(TunedModelUnreadable, match="not a whole safetensors file") as caught:
        read_tensors(tmp_path / "x")

    assert "pickled checkpoints are not read" in caught.value.hint


def test_half_a_file_is_refused(tmp_path: Path) -> None:
    """A download that broke off is told at once."""
    save_file({"a": torch.arange(100.0)}, str(tmp_path / "x"))
    (tmp_path / "x").write_bytes((tmp_path / "x").read_bytes()[:-4])

    with pytest.raises(TunedModelUnreadable):
        read_tensors(tmp_path / "x")
