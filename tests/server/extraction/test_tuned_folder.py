# SPDX-License-Identifier: Apache-2.0
"""A tuned model in a folder: which files hold its weights, and under what names."""

from pathlib import Path

import torch

from tests.bases import load_pipeline
from tests.tuned_models import add_low_rank, extracted


def test_half_precision_folder_is_read(tmp_path: Path, base: Path) -> None:
    """Where nothing but half-precision files lie, they are read; both: the full ones."""
    pipe = load_pipeline(base)
    with torch.no_grad():
        add_low_rank(2)(pipe)
    pipe.save_pretrained(str(tmp_path / "half"), variant="fp16")
    pipe.save_pretrained(str(tmp_path / "both"), variant="fp16")
    pipe.save_pretrained(str(tmp_path / "both"))

    digests = {
        extracted(base, tmp_path / name, tmp_path / f"{name}.out", rank=4).file_sha256
        for name in ("half", "both")
    }

    assert len(digests) == 2  # the header names the checkpoint's own digest
