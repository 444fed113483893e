# SPDX-License-Identifier: Apache-2.0
"""A folder tree becomes a list of adapters, and their files' names become names."""

import os
from pathlib import Path

import pytest

from tabard import InvalidArgument
from tabard.cli.files import ui_folders
from tabard.cli.files.ui_folders import find_items, plain_name, title_of
from tabard_registry import AdapterName


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Ink Wash (v2)", "ink-wash-v2"),
        ("水彩", "shuicai"),
        ("Акварель №2", "akvarel-no2"),
        ("café", "cafe"),
        ("!!!", ""),
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
    """Files that belong together are one, called like their folder; a link to one is told."""
    run = tmp_path / "run-7"
    run.mkdir()
    for name in ("adapter_model.safetensors", "adapter_model.bin", "adapter_config.json"):
        (run / name).write_bytes(b"x")
    (run / "link.safetensors").symlink_to(run / "adapter_model.safetensors")

    item, link = find_items(tmp_path)

    assert (link.place, link.same_as) == ("run-7/link.safetensors", item.place)
    assert [path.name for path in item.files] == [
        "adapter_model.safetensors",
        "adapter_config.json",
    ]
    assert (item.stem, item.place) == ("run-7", "run-7/adapter_model.safetensors")


def test_state_of_a_trainer_is_no_adapter(tmp_path: Path) -> None:
    """A checkpoint folder within the tree: the adapter is found, what training goes on from not."""
    for name in ("model.safetensors", "optimizer.bin", "scheduler.bin", "rng_state_0.pth"):
        (tmp_path / name).write_bytes(b"x")

    assert [item.place for item in find_items(tmp_path)] == ["model.safetensors"]


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


def test_links_are_followed_once(tmp_path: Path) -> None:
    """A linked file and a linked folder are taken; what was met before says where, loops too."""
    root, other = tmp_path / "ui", tmp_path / "disk"
    for folder in (root, other):
        folder.mkdir()
    (other / "ink.safetensors").write_bytes(b"x")
    (other / "pen.safetensors").write_bytes(b"y")
    (root / "again").symlink_to(root)
    (root / "far").symlink_to(other)
    (root / "ink-link.safetensors").symlink_to(other / "ink.safetensors")

    told = {item.place: (item.same_as, len(item.files)) for item in find_items(root)}

    assert told == {
        "again": (".", 0),
        "far/ink.safetensors": ("ink-link.safetensors", 0),
        "far/pen.safetensors": ("", 1),
        "ink-link.safetensors": ("", 1),
    }


def test_what_cannot_be_read_is_listed(tmp_path: Path) -> None:
    """Nothing is left out in silence: links to nothing, pipes, and links to themselves."""
    (tmp_path / "gone.safetensors").symlink_to(tmp_path / "nowhere")
    (tmp_path / "self.pt").symlink_to(tmp_path / "self.pt")
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    os.mkfifo(tmp_path / "pipe.safetensors")
    os.mkfifo(tmp_path / "pipe")

    items = find_items(tmp_path)

    assert [(item.place, bool(item.trouble)) for item in items] == [
        ("gone.safetensors", True),
        ("pipe.safetensors", True),
        ("self.pt", True),
    ]


def test_folder_without_rights_is_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the superuser sees everything, the refusal is the system call's."""
    (tmp_path / "closed").mkdir()
    scan = os.scandir

    def refuse(path: Path) -> object:
        if path.name == "closed":
            raise PermissionError(13, "Permission denied")
        return scan(path)

    monkeypatch.setattr(ui_folders.os, "scandir", refuse)

    (item,) = find_items(tmp_path)

    assert (item.place, "Permission denied" in item.trouble) == ("closed", True)


def test_endless_folders_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link to a whole disk ends at a bound."""
    monkeypatch.setattr(ui_folders, "FOLDERS_MAX", 3)
    for name in "abc":
        (tmp_path / name).mkdir()

    with pytest.raises(InvalidArgument) as caught:
        find_items(tmp_path)

    assert caught.value.reason == "TOO_MANY_FILES"


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("水彩", "水彩"),
        ("cafe\u0301", "caf\u00e9"),
        ("a\x1b[31mb", "a [31mb"),
        ("\udcff", "\ufffd"),
    ],
)
def test_titles_are_printable(text: str, title: str) -> None:
    """Whatever bytes a name is made of, it can be written and read."""
    assert title_of(text) == title


def test_path_that_is_too_long_is_listed(tmp_path: Path) -> None:
    """Folders below folders without end: what lies above is taken, and the rest is told."""
    (tmp_path / "ink.safetensors").write_bytes(b"x")
    folder = os.open(tmp_path, os.O_RDONLY)
    for _ in range(25):
        os.mkdir("d" * 200, dir_fd=folder)
        below = os.open("d" * 200, os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = below
    os.close(folder)

    deep, ink = find_items(tmp_path)

    assert (ink.place, "too long" in deep.trouble) == ("ink.safetensors", True)
