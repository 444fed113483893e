# SPDX-License-Identifier: Apache-2.0
"""However a base is damaged, it is refused in our own words, or it is still the same base."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tabard_server.engine.base.loading import load_base
from tabard_server.engine.base.place import DEMO_BASE
from tabard_server.engine_port.errors import BaseNotLoadable
from tests.server.engine.base.files.damaged_bases import (
    Damage,
    are_same,
    damages_of,
    files_of,
    linked_folder,
    meaning_of,
)
from tests.single_file import write_single_file

DAMAGES = [
    pytest.param(
        file,
        damage,
        id=f"{file}-{name}",
        marks=[] if (turn + number) % 4 == 0 else pytest.mark.oracle,
    )
    for turn, file in enumerate(files_of(DEMO_BASE))
    for number, (name, damage) in enumerate(damages_of(file))
]
"""Every fourth is fast: each file by some, each damage by some file; `make oracle` has all."""
FOREIGN_WORDS = (
    "Error",
    "huggingface.co",
    "from_pretrained",
    "state_dict",
    "Traceback",
    "size mis",
)
"""What the libraries' own messages hold."""


@pytest.fixture(scope="module")
def sound() -> dict[str, Any]:
    return meaning_of(load_base("demo"))


@pytest.mark.parametrize(("file", "damage"), DAMAGES)
def test_damaged_folder_is_refused(
    tmp_path: Path, sound: dict[str, Any], file: Path, damage: Damage
) -> None:
    """One file cut, gone, emptied, replaced, or with other values; all the others are sound."""
    damage(linked_folder(DEMO_BASE, tmp_path, damaged=file))

    try:
        found = load_base(str(tmp_path))
    except BaseNotLoadable as error:
        assert error.hint and str(tmp_path) in str(error)
        assert not [word for word in FOREIGN_WORDS if word in f"{error} {error.hint}"]
    else:
        assert are_same(meaning_of(found), sound)


@pytest.mark.parametrize("share", [0.0, 0.0001, 0.001, 0.01, 0.3, 0.6, 0.9999])
def test_cut_checkpoint_is_refused(tiny_base: Path, tmp_path: Path, share: float) -> None:
    """A single file that ends too early, wherever."""
    file = write_single_file(tiny_base, tmp_path / "x.safetensors")
    whole = file.read_bytes()
    file.write_bytes(whole[: int(len(whole) * share)])

    with pytest.raises(BaseNotLoadable, match=r"x\.safetensors is ") as caught:
        load_base(str(file), config=str(tiny_base))

    assert caught.value.hint


def test_half_copied_component_is_named(tiny_base: Path, tmp_path: Path) -> None:
    """A text encoder and a UNet whose copy broke off, each by its own file."""
    for name in ("text_encoder/model", "unet/diffusion_pytorch_model"):
        file = Path(f"{name}.safetensors")
        copy = linked_folder(tiny_base, tmp_path / file.parent, damaged=file)
        copy.write_bytes(copy.read_bytes()[: copy.stat().st_size // 2])

        with pytest.raises(BaseNotLoadable, match=f"{name}.safetensors is not a whole"):
            load_base(str(tmp_path / file.parent))


@pytest.mark.parametrize("part", ["unet", "tokenizer", "scheduler", ""])
def test_folder_without_rights_is_refused(tiny_base: Path, part: str) -> None:
    """A folder that its server may not read is named, with what the system says."""
    load_base(str(tiny_base))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "base"
        shutil.copytree(tiny_base, folder)
        Path(name).chmod(0o755)
        for path in folder.rglob("*"):
            path.chmod(path.stat().st_mode | 0o055)
        (folder / part).chmod(0)

        with _plain_user(), pytest.raises(BaseNotLoadable) as caught:
            load_base(str(folder))

        (folder / part).chmod(0o755)
    assert part in str(caught.value)
    assert "Permission denied" in str(caught.value) or part == "tokenizer"


@contextmanager
def _plain_user() -> Iterator[None]:
    """Take root's rights away for a while; a plain user has none to take."""
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)
