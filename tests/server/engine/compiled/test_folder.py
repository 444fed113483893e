# SPDX-License-Identifier: Apache-2.0
"""Libraries are kept whole or not at all, and never beyond a bound."""

import os
from pathlib import Path

import pytest

from tabard_server.engine.compiled.folder import LibraryFolder, kernels_folder
from tabard_server.engine.compiled.order import BaseOrder, Order
from tests.server.engine.compiled.conftest import lay_down, shape


def keep(folder: LibraryFolder, base: BaseOrder, scratch: Path, *, samples: int) -> Path:
    """Build one and keep it."""
    target = scratch / f"{samples}.so"
    lay_down(Order(base=base, shape=shape(samples), threads=1, target=target), scratch)
    return folder.keep(target, shape=shape(samples))


def test_library_is_found_again(
    folder: LibraryFolder, base_order: BaseOrder, tmp_path: Path
) -> None:
    """By another server of the same base, and by none of another base."""
    assert folder.find(shape()) is None

    path = keep(folder, base_order, tmp_path, samples=2)

    root = tmp_path / "compiled"
    assert LibraryFolder(root, key=base_order.key, bytes_max=1).find(shape()) == path
    assert LibraryFolder(root, key="another", bytes_max=1).find(shape()) is None
    assert folder.find(shape(4)) is None


@pytest.mark.parametrize("suffix", [".so", ".json"])
def test_changed_library_is_removed(
    folder: LibraryFolder, base_order: BaseOrder, tmp_path: Path, suffix: str
) -> None:
    """What is not what was written is not loaded, and makes room for another."""
    path = keep(folder, base_order, tmp_path, samples=2)
    path.with_suffix(suffix).write_bytes(b"{")

    assert folder.find(shape()) is None
    assert not list(path.parent.iterdir())


def test_oldest_goes_first(base_order: BaseOrder, tmp_path: Path) -> None:
    """Of all bases; never the one that was just built."""
    root = tmp_path / "compiled"
    old, new = (LibraryFolder(root, key=key, bytes_max=80) for key in ("old", "new"))
    first = keep(old, base_order, tmp_path, samples=1)
    second = keep(new, base_order, tmp_path, samples=2)
    os.utime(second, (1, 1))
    os.utime(first, (2, 2))
    assert new.find(shape(2)) == second  # used now

    keep(new, base_order, tmp_path, samples=4)

    assert old.find(shape(1)) is None
    assert new.find(shape(2)) == second


def test_kernels_of_older_tools_go_first(tmp_path: Path) -> None:
    """Once all take more than the bound; those of the tools at hand stay, however many."""
    folders = [kernels_folder(tmp_path, key=name, bytes_max=1) for name in ("old", "newer", "own")]
    for number, folder in enumerate(folders):
        (folder / "ab").mkdir(parents=True)
        (folder / "ab" / "kernel.so").write_bytes(b"x" * 100_000)
        os.utime(folder, (number, number))

    assert kernels_folder(tmp_path, key="own", bytes_max=1 << 20) == folders[2]
    assert all(folder.is_dir() for folder in folders)

    kernels_folder(tmp_path, key="own", bytes_max=250_000)
    assert [folder.is_dir() for folder in folders] == [False, True, True]

    kernels_folder(tmp_path, key="own", bytes_max=1)
    assert [folder.is_dir() for folder in folders] == [False, False, True]
    assert (folders[2] / "ab" / "kernel.so").exists()


def test_unwritable_root_is_left_to_inductor(tmp_path: Path) -> None:
    """It is no reason not to start."""
    (tmp_path / "compiled").write_bytes(b"")

    found = kernels_folder(tmp_path / "compiled", key="own", bytes_max=1)

    assert found == tmp_path / "compiled" / "inductor" / "own" and not found.exists()
