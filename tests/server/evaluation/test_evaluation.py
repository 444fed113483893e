# SPDX-License-Identifier: Apache-2.0
"""The walk of an evaluation to its report in the registry: filed once, with its pictures."""

import asyncio
import json
import shutil
from pathlib import Path

from tabard_registry import AdapterRef, Author, Registry
from tabard_registry.evidence.documents import read_document
from tabard_registry.evidence.report import Report
from tabard_registry.upkeep.garbage import collect
from tests.server.evaluation.asking import PROMPTS, ask, evaluate, prepare, stub
from tests.server.fakes import FakeEngine
from tests.server.harness import refusal_of, serving

REF = AdapterRef.parse("acme/ink@1.1.0")
ROOT = Author(actor="root", reason="for a test")


def reports_in(registry: Registry) -> list[Report]:
    """Return the reports on the release that is judged."""
    documents = [one.document for one in registry.evidence.of(REF, kind="report")]
    assert all(isinstance(one, Report) for one in documents)
    return documents  # type: ignore[return-value]


def test_report_is_filed_with_its_pictures(tmp_path: Path) -> None:
    """One act, by who asked; every picture and the grid that it names are there."""

    async def walk() -> None:
        async with serving(tmp_path) as server:
            await prepare(server)
            events = await evaluate(server, ask(reason="before it is promoted"))
            registry = server.app.registry

            (report,) = reports_in(registry)
            verdict = events[-1].verdict
            assert read_document(verdict.report) == report
            assert len(report.candidates) == len(report.baseline) == 2 * PROMPTS
            assert all(map(registry.blobs.is_there, report.blobs))
            note = registry.state.find(REF).health.report
            assert note is not None
            assert str(note.document) == verdict.report_digest
            assert note.told.actor == "tester"
            assert registry.queries.history(REF.adapter)[-1].reason == "before it is promoted"
            seen = {one.prompt: one.reference for one in report.prompt_record}
            served = {one.image for one in report.baseline}
            assert served.issuperset(seen.values())

    asyncio.run(walk())


def test_filed_report_outlives_the_cache(tmp_path: Path) -> None:
    """Without its cache, and on another server of the registry, nothing is drawn or filed again."""
    engine = FakeEngine()

    async def walk() -> None:
        async with serving(tmp_path) as server:
            await prepare(server)
            first = (await evaluate(server, ask()))[-1].verdict
        shutil.rmtree(tmp_path / "cache")
        async with serving(tmp_path, engine=engine) as server:
            again = (await evaluate(server, ask()))[-1].verdict

            assert first.created
            assert not again.created
            assert again.report_digest == first.report_digest
            assert len(reports_in(server.app.registry)) == 1
            assert engine.batches == []

    asyncio.run(walk())


def test_collection_between_takes_nothing_away(tmp_path: Path) -> None:
    """What a collection deletes before the report names it is put there again."""

    async def walk() -> None:
        async with serving(tmp_path) as server:
            await prepare(server)
            registry, collected = server.app.registry, 0
            async for event in stub(server).Evaluate(ask()):
                if event.HasField("cell") and not collected:
                    collected = collect(
                        registry, min_age_seconds=0, dry_run=False, author=ROOT
                    ).blobs

            (report,) = reports_in(registry)
            assert collected
            assert event.verdict.created
            assert all(map(registry.blobs.is_there, report.blobs))

    asyncio.run(walk())


def test_unproven_author_is_refused_before(tmp_path: Path) -> None:
    """Where a namespace asks who files evidence, who does not say makes the server draw nothing."""
    engine = FakeEngine()

    async def walk() -> None:
        async with serving(tmp_path, engine=engine) as server:
            await prepare(server)
            server.app.registry.set_policy("acme", require_identity=True, author=ROOT)

            refusal = await refusal_of(stub(server).Evaluate(ask()))

            assert refusal.reason == "IDENTITY_REQUIRED"
            assert engine.batches == []

    asyncio.run(walk())


def test_report_has_no_empty_words(tmp_path: Path) -> None:
    """It says by what it was judged and what nobody has looked at, and draws no conclusion."""

    async def walk() -> None:
        async with serving(tmp_path) as server:
            await prepare(server)
            report = json.loads((await evaluate(server, ask()))[-1].verdict.report)

            assert report["inputs"].startswith("sha256:")
            assert [one["name"] for one in report["encoders"]]
            assert not {"copyright", "portrait", "review_failure"} & set(report.get("checks", {}))
            assert "outcome" not in report

    asyncio.run(walk())
