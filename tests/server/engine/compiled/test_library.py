# SPDX-License-Identifier: Apache-2.0
"""A file that is no library, or is one of another base, is told before it is run."""

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from tabard_server.engine.compiled.library import Library, LibraryDamaged, tensors_of


def test_tensors_have_the_names_of_the_graph() -> None:
    """Parameters and buffers, those that are shared under each name."""
    block = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    block[0].weight = block[1].weight

    assert {"unet.0.weight", "unet.1.weight", "unet.1.running_mean"} <= {*tensors_of(block)}


@pytest.mark.parametrize(
    ("wants", "why"),
    [
        (None, "cannot be read"),
        ({"unet.weight": [[3, 2], [2, 1], "float32"]}, "another unet.weight"),
        ({"unet.weight": [[2, 3], [1, 2], "float32"]}, "another unet.weight"),
        ({"unet.weight": [[2, 3], [3, 1], "float64"]}, "another unet.weight"),
        ({"unet.bias": [[2], [1], "float32"]}, "another unet.bias"),
        ({"unet.weight": [[2, 3], [3, 1], "float32"]}, "cannot be loaded"),
    ],
)
def test_wrong_library_is_refused(tmp_path: Path, wants: object, why: str) -> None:
    """Other sizes, strides or dtypes, no wishes at all, or no library."""
    path = tmp_path / "one.so"
    path.write_bytes(b"nothing that is linked")
    if wants is not None:
        path.with_suffix(".json").write_text(json.dumps({"wants": wants}))

    with pytest.raises(LibraryDamaged, match=why):
        Library(path, tensors={"unet.weight": torch.zeros(2, 3)})
