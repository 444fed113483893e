# SPDX-License-Identifier: Apache-2.0
"""The demo's story told against the fake server: what it leaves, and how it notices a lie."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import tabard
from tabard.cli.demo.catalog import read_catalog
from tabard.cli.demo.demo import perform
from tabard.cli.demo.folder import claim
from tabard.cli.demo.proof import Proof
from tabard.cli.output import Output
from tests.clients.fakes.server import FakeServer


def _perform(server: FakeServer, adapters: Path, out: Path) -> tuple[Proof, Any]:
    @contextmanager
    def running(folder: Path) -> Iterator[str]:
        yield server.address

    return perform(
        claim(out),
        adapters=adapters,
        seed=7,
        output=Output(is_json=True),
        start_server=running,
    )


def test_story_holds_and_is_kept(server: FakeServer, adapters: Path, tmp_path: Path) -> None:
    """A good server: the verdict holds, and everything promised is in the folder."""
    out = tmp_path / "out"

    verdict, summary = _perform(server, adapters, out)

    assert (verdict.failures, verdict.rollback_identical) == ((), True)
    assert json.loads((out / "summary.json").read_text()) == json.loads(json.dumps(summary))
    assert len(list((out / "images").glob("*.png"))) == 28
    with Image.open(out / "contact-sheet.png") as sheet:
        assert sheet.height > 7 * 128


def test_summary_tells_the_moves(server: FakeServer, adapters: Path, tmp_path: Path) -> None:
    """Who moved what, when and why, and which release each row wears."""
    _, summary = _perform(server, adapters, tmp_path / "out")

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
        ["1.0.0", "1.0.0"],
        ["1.0.0"],
        ["1.0.0"],
    ]
    assert {"server_start", "total", "publish", "promote", "rollback"} <= set(summary["seconds"])


def test_broken_rollback_is_noticed(server: FakeServer, adapters: Path, tmp_path: Path) -> None:
    """A rollback that does not bring the old images back fails the demo."""
    server.state.is_rollback_broken = True

    verdict, summary = _perform(server, adapters, tmp_path / "out")

    assert not verdict.rollback_identical
    assert summary["failures"] == ["the images after the rollback differ from those before"]


@pytest.mark.parametrize(
    ("file", "failure"),
    [
        ("watercolor-1.0.0", "the style draws what the base draws"),
        ("watercolor-1.1.0", None),
    ],
)
def test_style_without_effect_is_noticed(
    server: FakeServer, adapters: Path, tmp_path: Path, file: str, failure: str | None
) -> None:
    """A style that changes nothing fails the demo; a bad release like the base is still bad."""
    (adapters / f"{file}.safetensors").write_bytes(b"NO EFFECT " + file.encode())

    verdict, _ = _perform(server, adapters, tmp_path / "out")

    assert verdict.failures == ((failure,) if failure else ())


def test_harmless_bad_release_is_noticed(
    server: FakeServer, adapters: Path, tmp_path: Path
) -> None:
    """A bad release that looks like the good one proves nothing."""
    for version in ("1.0.0", "1.1.0"):
        path = adapters / f"watercolor-{version}.safetensors"
        path.write_bytes(b"NO EFFECT " + version.encode())

    verdict, _ = _perform(server, adapters, tmp_path / "out")

    assert "the bad release draws what the good one draws" in verdict.failures


def test_incomplete_catalog_is_refused(adapters: Path) -> None:
    """Every part of the story needs its release."""
    entries = json.loads((adapters / "index.json").read_text())
    (adapters / "index.json").write_text(json.dumps(entries[:-1]))

    with pytest.raises(tabard.FailedPrecondition) as caught:
        read_catalog(adapters)

    assert caught.value.reason == "DEMO_MATERIAL_MISSING"
