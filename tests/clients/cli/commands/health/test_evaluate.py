# SPDX-License-Identifier: Apache-2.0
"""`tabard evaluate` tells scores, a verdict and what it rests on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tabard_registry import AdapterRef
from tests.clients.cli.conftest import Tabard
from tests.clients.fakes.real_server import RealServer
from tests.server.evaluation.wishes.asking import grid_document
from tests.server.evaluation.wishes.planning import ANN, png_of

REF = "acme/ink@1.1.0"


@pytest.fixture
def grid(server: RealServer, tmp_path: Path) -> str:
    """Publish two releases, serve the older one, and write a small grid."""
    server.publish("acme/ink")
    server.publish("acme/ink", "1.1.0")
    ref = AdapterRef.parse("acme/ink@1.0.0")
    server.registry.promote(ref, channel="stable", author=ANN)
    path = tmp_path / "grid.json"
    path.write_bytes(grid_document())
    return str(path)


def test_verdict_is_told(tabard: Tabard, grid: str) -> None:
    """With every score, what was not checked, and who decides."""
    ran = tabard("evaluate", f"{REF}:0.8", "--grid", grid)

    words = " ".join(ran.out.split())
    assert ran.code == 0
    assert "acme/ink 1.1.0 at 0.8" in words
    assert "against: 1.0.0" in words or "against 1.0.0" in words
    assert "what the release that it would replace draws on this grid" in words
    assert "subject not checked" in words
    assert "12 prompts x 2 seeds" in words
    assert "broken 0 of 24 0 to 3 " in words
    assert "verdict: " in words
    assert words.endswith("Scores inform; a person decides.")
    assert "filed before" not in words
    assert "filed before" in tabard("evaluate", f"{REF}:0.8", "--grid", grid).out


def test_json_has_the_report(tabard: Tabard, grid: str, server: RealServer) -> None:
    """As it was filed, with its digest."""
    ran = tabard("evaluate", REF, "--grid", grid, "--reason", "before stable", "--json")

    told = json.loads(ran.out)
    note = server.registry.state.find(AdapterRef.parse(REF)).health.report
    assert note is not None
    assert told["report_digest"] == str(note.document)
    assert told["report"]["verdict"] == note.verdict
    assert told["created"] is True
    assert server.registry.queries.history(AdapterRef.parse(REF).adapter)[-1].reason == (
        "before stable"
    )


def test_references_are_sent(tabard: Tabard, grid: str, tmp_path: Path) -> None:
    """Pictures of a folder; training pictures likewise."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for seed in range(4):
        (folder / f"{seed}.png").write_bytes(png_of(seed))

    ran = tabard(
        *("evaluate", REF, "--grid", grid, "--references", str(folder)),
        *("--training", str(folder), "--against", "acme/ink@1.0.0"),
    )

    words = " ".join(ran.out.split())
    assert ran.code == 0
    assert "those that you sent" in words
    assert "there are no training pictures" not in words
    assert "pictures that are nearly training pictures" in words


def test_refusal_says_what_to_do(tabard: Tabard, grid: str) -> None:
    """A first release without references."""
    ran = tabard("evaluate", "acme/ink@1.0.0", "--grid", grid)

    assert ran.code != 0
    assert "references" in ran.err
    assert "4 pictures or more" in ran.err
