# SPDX-License-Identifier: Apache-2.0
"""A folder tree becomes a list of adapters, and their files' names become names."""

from pathlib import Path

import pytest

from tabard import InvalidArgument
from tabard.cli.files import ui_folders
from tabard.cli.files.ui_folders import find_items, plain_name
from tabard_registry import AdapterName


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Ink Wash (v2)", "ink-wash-v2"),
        ("水彩", ""),
        ("__x__", "x"),
        ("a" * 99, "a" * 64),
        ("a" * 63 + "-b", "a" * 63),
        ("../../etc", "etc"),
    ],
)
def test_names_of_files_become_names(text: str, name: str) -> None:
    """Every name that comes out is one that the registry takes."""
    assert plain_name(text) == name
    if name:
        AdapterName("mine", plain_name(text))


def test_folders_of_trainers_are_one_adapter(tmp_path: Path) -> None:
    """Files that belong together are one, called like their folder; links are not followed."""
    run = tmp_path / "run-7"
    run.mkdir()
    for name in ("adapter_model.safetensors", "adapter_model.bin", "adapter_config.json"):
        (run / name).write_bytes(b"x")
    (run / "link.safetensors").symlink_to(run / "adapter_model.safetensors")

    (item,) = find_items(tmp_path)

    assert [path.name for path in item.files] == [
        "adapter_model.safetensors",
        "adapter_config.json",
    ]
    assert (item.stem, item.place) == ("run-7", "run-7/adapter_model.safetensors")


def test_files_are_found_by_content_too(tmp_path: Path) -> None:
    """A safetensors file of any name is one; a picture, a link and a hidden folder are none."""
    (tmp_path / "style.backup").write_bytes(b"\x10\0\0\0\0\0\0\0{}")
    (tmp_path / "style.png").write_bytes(b"\x89PNG")
    (tmp_path / "short").write_bytes(b"\x10")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "x.safetensors").write_bytes(b"x")

    assert [item.place for item in find_items(tmp_path)] == ["style.backup"]


def test_too_many_adapters_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bound, and what to do about it."""
    monkeypatch.setattr(ui_folders, "ITEMS_MAX", 2)
    for name in "abc":
        (tmp_path / f"{name}.pt").write_bytes(b"x")

    with pytest.raises(InvalidArgument) as caught:
        find_items(tmp_path)

    assert (caught.value.reason, bool(caught.value.hint)) == ("TOO_MANY_FILES", True)
