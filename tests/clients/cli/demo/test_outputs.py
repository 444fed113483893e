# SPDX-License-Identifier: Apache-2.0
"""What a demo leaves: images, sheet, and a summary of every move."""

import json
from pathlib import Path

from PIL import Image

from tabard.pictures.png_text import SHEET_KEYWORD
from tests.clients.cli.demo.performance import performed
from tests.clients.fakes.server import FakeServer


def test_story_holds_and_is_kept(server: FakeServer, adapters: Path, tmp_path: Path) -> None:
    """A good server: the proof holds, and everything promised is in the folder."""
    out = tmp_path / "out"

    proof, summary = performed(server, adapters, out)

    assert (proof.failures, proof.rollback_identical) == ((), True)
    assert json.loads((out / "summary.json").read_text()) == json.loads(json.dumps(summary))
    assert len(list((out / "images").glob("*.png"))) == 40
    with Image.open(out / "contact-sheet.png") as sheet:
        assert sheet.height > 10 * 128
        assert SHEET_KEYWORD in sheet.info


def test_summary_tells_the_moves(server: FakeServer, adapters: Path, tmp_path: Path) -> None:
    """Who moved what, when and why, and which release each row wears."""
    _, summary = performed(server, adapters, tmp_path / "out")

    moves = [(move["type"], move["adapter"], move["version"]) for move in summary["channel_moves"]]
    worn = [[one["version"] for one in row["worn"]] for row in summary["rows"]]
    assert moves[-2:] == [
        ("promote", "acme/watercolor", "1.1.0"),
        ("rollback", "acme/watercolor", "1.0.0"),
    ]
    assert {move["actor"] for move in summary["channel_moves"]} == {"demo"}
    assert all(move["reason"] for move in summary["channel_moves"])
    assert worn == [
        [],
        ["1.0.0"],
        ["1.1.0"],
        ["1.0.0"],
        ["1.0.0"],
        ["1.0.0"],
        ["1.0.0", "1.0.0"],
        ["1.0.0"],
        ["1.0.0"],
        ["1.0.0", "1.0.0"],
    ]
    assert {"server_start", "total", "publish", "promote", "rollback"} <= set(summary["seconds"])
