# SPDX-License-Identifier: Apache-2.0
"""Folders of bases with something changed in them."""

import json
import shutil
from pathlib import Path

from safetensors.torch import load_file, save_file

FAMILIES = ("sd1", "sd2", "sdxl")


def copy_folder(base: Path, folder: Path) -> Path:
    return Path(shutil.copytree(base, folder / "base"))


def change_config(file: Path, **changes: object) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def drop_one(file: Path, *, prefix: str = "") -> str:
    tensors = load_file(str(file))
    wanted = [key for key in tensors if key.startswith(prefix) and key.endswith(".bias")]
    lost = next(key for key in sorted(wanted) if "attn" in key or "conv" in key)
    del tensors[lost]
    save_file(tensors, str(file), metadata={"format": "pt"})
    return lost
