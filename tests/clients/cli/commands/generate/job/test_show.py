# SPDX-License-Identifier: Apache-2.0
"""`tabard job show`."""

from pathlib import Path

from tests.clients.cli.conftest import Tabard


def test_job_is_told_as_it_stands(drawing: Tabard, begun: str, tmp_path: Path) -> None:
    """State, images and until when they are kept; as JSON too."""
    drawing("job", "wait", begun, "--out", str(tmp_path))

    ran, told = drawing("job", "show", begun), drawing("job", "show", begun, "--json").document

    assert "succeeded" in ran.out
    assert "kept until" in ran.out
    assert (told["state"], told["failure"]) == ("succeeded", None)
    assert [one["seed"] for one in told["images"]] == [7, 8]
