# SPDX-License-Identifier: Apache-2.0
"""Evaluations on the demo base: planted releases get their verdicts; a killed one goes on."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tabard import Client
from tabard.health.evaluation import EvaluationProgress
from tabard_server.engine.base.place import DEMO_BASE
from tests.e2e.conftest import DEMO_ADAPTERS, RunningServer, run_server

STABLE, BAD = "acme/watercolor@1.0.0", "acme/watercolor@1.1.0"
EQUAL = "acme/watercolor@1.0.1"
"""The file of the stable one again."""
SHAPES = ("circle", "square", "triangle", "star", "heart", "cross")
COLOURS = ("red", "blue", "green", "yellow", "purple", "orange")
GROUNDS = ("white", "black", "gray", "brown")
CONTROLS = ("a red star", "a blue circle", "a green heart")


@pytest.fixture
def grid(tmp_path: Path) -> Path:
    """Return the file of a small grid of what the demo base can draw."""
    prompts = [
        {
            "text": f"a large {COLOURS[n % 6]} {SHAPES[(n + n // 6) % 6]} on a {GROUNDS[n % 4]} "
            "background, {trigger}"
        }
        for n in range(12)
    ]
    controls = [{"text": f"{one} on a white background", "control": True} for one in CONTROLS]
    document = {
        "v": 1,
        "kind": "grid",
        "name": "demo",
        "purpose": "style",
        "prompts": prompts + controls,
        "seeds": [11, 23, 47, 101],
        "steps": 8,
        "width": 64,
        "height": 64,
        "guidance_scale": 4.0,
        "sampler": "ddim",
    }
    path = tmp_path / "grid.json"
    path.write_text(json.dumps(document))
    return path


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    """Run the demo base with a good release in service and its bad successor."""
    with run_server(
        tmp_path, base=DEMO_BASE, is_forked=True, cache=str(tmp_path / "cache")
    ) as running:
        with Client(running.address) as client:
            _publish(client)
        yield running


@pytest.mark.soak
def test_planted_releases_get_their_verdicts(server: RunningServer, grid: Path) -> None:
    """Equal: Success. Absent, overcooked, and the demo's bad successor: Failed."""
    refs = (EQUAL, f"{STABLE}:0.5", f"{STABLE}:1.6", BAD)
    with Client(server.address) as client:
        found = {ref: client.evaluate(ref, against=STABLE, grid=grid).result() for ref in refs}

    verdicts = {ref: result.verdict for ref, result in found.items()}
    scores = {one.name: one for one in found[f"{STABLE}:1.6"].scores}
    assert verdicts == dict(zip(refs, ("success", "failed", "failed", "failed"), strict=True))
    # Its style passes: one score alone would have let it through.
    assert (scores["style"].value or 0.0) > 0.5


@pytest.mark.parametrize("moment", ["drawing", pytest.param("judging", marks=pytest.mark.soak)])
def test_killed_evaluation_goes_on(tmp_path: Path, grid: Path, moment: str) -> None:
    """What a killed server had drawn, the next one does not draw again; one report is filed."""
    settings = {"base": DEMO_BASE, "is_forked": True, "cache": str(tmp_path / "cache")}
    small = {"seeds": [11, 23], "steps": 2}
    grid.write_text(json.dumps(json.loads(grid.read_text()) | small))
    with run_server(tmp_path, **settings) as server, Client(server.address) as client:  # type: ignore[arg-type]
        _publish(client)
        for event in client.evaluate(BAD, grid=grid):
            is_under_way = isinstance(event, EvaluationProgress) and event.done >= 6
            if is_under_way and event.phase == moment:
                break
        server.process.kill()
        server.process.wait()

    with run_server(tmp_path, **settings) as server, Client(server.address) as client:  # type: ignore[arg-type]
        first = client.evaluate(BAD, grid=grid).result()
        again = client.evaluate(BAD, grid=grid).result()
        acts = [act.type for one in client.history("acme/watercolor") for act in one.actions]

    kept = [picture.was_kept for cell in first.cells for picture in cell.pictures]
    assert sum(kept) >= 6 * 3
    assert all(kept) is (moment == "judging")
    assert first.created
    assert not again.created
    assert again.report_digest == first.report_digest
    assert acts.count("evidence") == 1


def _publish(client: Client) -> None:
    for ref, trained in ((STABLE, "1.0.0"), (EQUAL, "1.0.0"), (BAD, "1.1.0")):
        name, _, version = ref.partition("@")
        file = DEMO_ADAPTERS / f"watercolor-{trained}.safetensors"
        words = ["watercolor style"]
        client.publish(name, file, version=version, purpose="style", trigger_words=words)
    client.promote(STABLE)
