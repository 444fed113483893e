# SPDX-License-Identifier: Apache-2.0
"""Evaluations as both clients ask for them."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from tabard import AsyncClient, Client, FailedPrecondition, InvalidArgument, NotFound
from tabard.calls.health.evaluation import knows_event, read_event
from tabard.health.evaluation import EvaluationCell, EvaluationProgress, EvaluationStarted
from tabard.v1 import evaluation_service_pb2 as pb
from tabard_registry import AdapterRef
from tests.clients.fakes.real_server import RealServer
from tests.server.evaluation.wishes.asking import grid_document
from tests.server.evaluation.wishes.planning import ANN, png_of

REF = "acme/ink@1.1.0"


@pytest.fixture
def grid(tmp_path: Path) -> Path:
    """Write a small grid."""
    path = tmp_path / "grid.json"
    path.write_bytes(grid_document())
    return path


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Write a folder of pictures, and something else."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for seed in range(4):
        (folder / f"{seed}.PNG").write_bytes(png_of(seed))
    (folder / "notes.txt").write_text("no picture")
    return folder


@pytest.fixture
def line(server: RealServer) -> str:
    """Publish two releases, and serve the older one; the newer one."""
    server.publish("acme/ink")
    server.publish("acme/ink", "1.1.0")
    ref = AdapterRef.parse("acme/ink@1.0.0")
    server.registry.promote(ref, channel="stable", author=ANN)
    return REF


def test_evaluation_is_followed(client: Client, line: str, grid: Path) -> None:
    """Event by event, then as a whole; asked again, it is the same report."""
    evaluation = client.evaluate(line, grid=grid, pictures=True)
    events = list(evaluation)
    result = evaluation.result()
    again = client.evaluate(line, grid=grid).result()

    assert isinstance(events[0], EvaluationStarted)
    assert events[0].reference_source == "against"
    assert any(isinstance(one, EvaluationProgress) for one in events)
    assert [one.side for one in result.cells[0].pictures] == ["candidate", "against", "base"]
    assert all(one.png.startswith(b"\x89PNG") for one in result.cells[0].pictures)
    assert result.verdict in ("success", "failed", "inconclusive")
    assert result.report["verdict"].lower() == result.verdict
    assert (result.created, again.created) == (True, False)
    assert again.report_digest == result.report_digest
    assert again.cells == ()


def test_asyncio_follows_it_too(server: RealServer, line: str, grid: Path, pictures: Path) -> None:
    """With references of a folder, of which files that are no pictures are left out."""

    async def walk() -> None:
        async with AsyncClient(server.address) as client:
            evaluation = await client.evaluate(line, grid=str(grid), references=pictures)
            cells = [one async for one in evaluation if isinstance(one, EvaluationCell)]
            result = await evaluation.result()

            assert len(cells) == result.started.cell_count == 24
            assert (result.started.reference_source, result.started.reference_count) == (
                "request",
                4,
            )

    asyncio.run(walk())


def test_score_without_numbers_has_none(client: Client, line: str, grid: Path) -> None:
    """What was not checked is not zero."""
    scores = {one.name: one for one in client.evaluate(line, grid=grid).result().scores}

    subject = scores["subject"]
    assert (subject.is_measured, subject.value, subject.low, subject.baseline) == (
        False,
        None,
        None,
        None,
    )
    assert subject.reason
    assert scores["diversity"].value is not None


@pytest.mark.parametrize("name", ["references", "training"])
def test_folder_without_pictures_is_refused(client: Client, tmp_path: Path, name: str) -> None:
    """Before anything is sent, and the message names it."""
    empty = tmp_path / "empty"
    empty.mkdir()

    for folder in (empty, tmp_path / "nowhere"):
        with pytest.raises(InvalidArgument) as refused:
            client.evaluate(REF, **{name: folder})  # type: ignore[arg-type]
        assert refused.value.reason == "FILE_NOT_FOUND"
        assert str(folder) in str(refused.value)


def test_unreadable_grid_is_refused(client: Client, tmp_path: Path) -> None:
    """A file that is not there; what is no grid, the server refuses."""
    with pytest.raises(InvalidArgument) as refused:
        client.evaluate(REF, grid=tmp_path / "nothing.json")

    assert refused.value.reason == "FILE_NOT_READABLE"


def test_empty_grid_is_none(client: Client, tmp_path: Path) -> None:
    """It is not the default grid, which an evaluation without one is drawn with."""
    path = tmp_path / "grid.json"
    path.touch()

    with pytest.raises(InvalidArgument) as refused:
        client.evaluate(REF, grid=path)

    assert refused.value.reason == "GRID_EMPTY"


def test_folder_of_thousands_is_not_read(client: Client, tmp_path: Path) -> None:
    """All of it would be in memory before the server could say how many it takes."""
    for number in range(1_025):
        (tmp_path / f"{number}.png").touch()

    with pytest.raises(InvalidArgument) as refused:
        client.evaluate(REF, references=tmp_path)

    assert refused.value.reason == "REFERENCES_TOO_MANY"


def test_servers_refusals_arrive(client: Client, line: str, grid: Path) -> None:
    """Typed, each with what to do."""
    with pytest.raises(NotFound) as unknown:
        client.evaluate(line, grid="nothing").result()
    with pytest.raises(FailedPrecondition) as missing:
        client.evaluate("acme/ink@1.0.0", grid=grid).result()

    assert unknown.value.reason == "GRID_NOT_FOUND"
    assert missing.value.reason == "REFERENCES_MISSING"
    assert missing.value.hint


def test_unknown_events_are_passed_over() -> None:
    """A newer server may tell more."""
    verdict = pb.EvaluateResponse(
        verdict=pb.EvaluationVerdict(
            verdict=pb.VERDICT_FAILED, report=json.dumps({"a": 1}).encode()
        )
    )

    assert not knows_event(pb.EvaluateResponse())
    assert knows_event(verdict)
    assert read_event(verdict).report == {"a": 1}  # type: ignore[union-attr]
