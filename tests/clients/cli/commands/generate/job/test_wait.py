# SPDX-License-Identifier: Apache-2.0
"""`tabard job wait`."""

from pathlib import Path

from tests.clients.cli.conftest import Tabard


def test_images_are_saved(drawing: Tabard, begun: str, tmp_path: Path) -> None:
    """By their seeds; twice is fine."""
    out = tmp_path / "images"

    first = drawing("job", "wait", begun, "--out", str(out), "--json").document
    again = drawing("job", "wait", begun, "--out", str(out))

    assert [one["seed"] for one in first["images"]] == [7, 8]
    assert again.code == 0
    assert len(list(out.glob("*.png"))) == 2
    assert Path(first["images"][0]["file"]).read_bytes().startswith(b"\x89PNG")


def test_job_that_is_none_is_told(drawing: Tabard, tmp_path: Path) -> None:
    """With the exit code of what is not found."""
    ran = drawing("job", "wait", "0" * 32, "--out", str(tmp_path))

    assert ran.code != 0
    assert "there is no job" in ran.err
