# SPDX-License-Identifier: Apache-2.0
"""A demo clears what a demo left, and nothing else."""

from pathlib import Path

import pytest

import tabard
from tabard.cli.demo.folder import claim, export


def test_second_demo_clears_the_first(tmp_path: Path) -> None:
    """The registry is fresh each time; what the user added stays."""
    folder = claim(tmp_path / "out")
    (folder / "registry").mkdir()
    (folder / "registry" / "format.json").write_text("{}")
    (folder / "summary.json").write_text("{}")
    (folder / "my-notes.txt").write_text("mine")

    again = claim(tmp_path / "out")

    assert again == folder
    assert sorted(path.name for path in folder.iterdir()) == [".tabard-demo", "my-notes.txt"]


def test_foreign_folder_is_refused(tmp_path: Path) -> None:
    """Somebody's folder is left as it is."""
    (tmp_path / "thesis.txt").write_text("years of work")

    with pytest.raises(tabard.FailedPrecondition) as caught:
        claim(tmp_path)

    assert caught.value.reason == "NOT_A_DEMO_FOLDER"
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_plain_file_is_refused(tmp_path: Path) -> None:
    """A file is no folder."""
    (tmp_path / "out").write_text("x")

    with pytest.raises(tabard.FailedPrecondition):
        claim(tmp_path / "out")


def test_export_copies_base_and_adapters(adapters: Path, tmp_path: Path) -> None:
    """Both folders arrive; a second export replaces the first."""
    material = adapters.parent
    (material / "base").mkdir()
    (material / "base" / "model_index.json").write_text("{}")

    export(material, target=tmp_path / "exported")
    target = export(material, target=tmp_path / "exported")

    assert (target / "base" / "model_index.json").is_file()
    assert (target / "adapters" / "index.json").is_file()


def test_place_that_takes_nothing_is_told(tmp_path: Path) -> None:
    """Of what a demo makes, and of what is only copied."""
    (tmp_path / "file").touch()

    for make in (
        lambda: claim(tmp_path / "file" / "demo"),
        lambda: export(tmp_path, target=tmp_path / "file" / "demo"),
    ):
        with pytest.raises(tabard.FailedPrecondition, match="demo cannot be written") as told:
            make()
        assert (told.value.reason, "--out" in told.value.hint) == ("FOLDER_UNWRITABLE", True)
