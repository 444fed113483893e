# SPDX-License-Identifier: Apache-2.0
"""The walk of an evaluation to its report in the registry: filed once, with its pictures."""

import asyncio
import json
import shutil
from pathlib import Path

import pytest

from tabard.v1 import evaluation_service_pb2 as pb
from tabard_registry import AdapterRef, Author, Registry, sha256_bytes
from tabard_registry.errors import PreconditionFailed
from tabard_registry.evidence.documents import read_document
from tabard_registry.evidence.report import Report
from tabard_registry.release.gates import Gate
from tabard_registry.upkeep.garbage import collect
from tabard_server.evaluation.looks import Encoders
from tabard_server.evaluation.published import embeddings_of
from tabard_server.judgement.verdict import GatePolicy
from tests.server.evaluation.wishes.asking import PROMPTS, ask, evaluate, prepare, stub
from tests.server.evaluation.wishes.planning import put_embeddings, put_pictures
from tests.server.fakes import FakeEngine
from tests.server.harness import refusal_of, serving, until
from tests.server.judgement.drawn import picture

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


def test_purge_leaves_no_picture_of_it(tmp_path: Path) -> None:
    """Neither in the registry nor in the folder of the server that drew it; others' stay there."""

    async def walk() -> tuple[set[str], set[str], str]:
        async with serving(tmp_path) as server:
            await prepare(server)
            await evaluate(server, ask())
            purged = str(server.app.registry.state.find(REF).digest)
            before = {one.name for one in (tmp_path / "cache" / "evaluations").iterdir()}
            await server.purge("acme/ink@1.1.0")
            await until(lambda: not server.app.registry.state.find(REF).is_choosable)
            after = {one.name for one in (tmp_path / "cache" / "evaluations").iterdir()}
            return before, after, purged.removeprefix("sha256:")

    before, after, purged = asyncio.run(walk())

    gone = {name for name in before if name.startswith(purged)}
    assert len(gone) == PROMPTS * 2
    assert after == before - gone


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


def test_published_references_judge(tmp_path: Path) -> None:
    """Pictures beside an earlier release, or their embeddings alone, give the same scores."""

    async def walk() -> None:
        async with serving(tmp_path) as server:
            await prepare(server)
            registry = server.app.registry
            first = registry.state.find(AdapterRef.parse("acme/ink@1.0.0"))
            pictures = put_pictures(registry, first, seeds=range(5))
            by_pictures = await evaluate(server, ask())
            rows = embeddings_of("references", [picture(n) for n in range(5)], encoders=Encoders())
            embeddings = put_embeddings(registry, first, *rows)
            by_embeddings = await evaluate(server, ask())

            reports = reports_in(registry)
            started = [events[0].started for events in (by_pictures, by_embeddings)]
            assert {one.reference_source for one in started} == {pb.REFERENCE_SOURCE_PUBLISHED}
            assert [one.reference_count for one in started] == [5, 5]
            assert [one.references for one in reports] == [pictures, embeddings]
            assert reports[0].scores == reports[1].scores
            assert {one.reference for one in reports[0].prompt_record} == {None}

    asyncio.run(walk())


def test_other_encoders_embeddings_are_refused(tmp_path: Path) -> None:
    """References by numbers that this server cannot compare with: refused before it draws."""
    engine = FakeEngine()

    async def walk() -> None:
        async with serving(tmp_path, engine=engine) as server:
            await prepare(server)
            first = server.app.registry.state.find(AdapterRef.parse("acme/ink@1.0.0"))
            put_embeddings(server.app.registry, first, (sha256_bytes(b"other"), b"x" * 4))

            refusal = await refusal_of(stub(server).Evaluate(ask()))

            assert refusal.reason == "ENCODER_CHANGED"
            assert refusal.hint
            assert engine.batches == []

    asyncio.run(walk())


def test_bounds_of_the_gates_are_settings(tmp_path: Path) -> None:
    """The report says what was asked, and other bounds make another evaluation."""

    async def walk() -> None:
        found = []
        for policy in (GatePolicy(), GatePolicy(diversity_min=100)):
            async with serving(tmp_path, evaluation=policy) as server:
                if not found:
                    await prepare(server)
                found.append((await evaluate(server, ask()))[-1].verdict)

        assert [one.created for one in found] == [True, True]
        reasons = [next(r for r in one.reasons if r.startswith("diversity")) for one in found]
        assert "at least 0.60 is asked" in reasons[0]
        assert "at least 100.00 is asked" in reasons[1]

    asyncio.run(walk())


def test_channel_judges_by_its_policy(tmp_path: Path) -> None:
    """Its bounds come before the server's; the report says them, and the fold holds to them."""
    easy = GatePolicy(diversity_min=0.0, drift_max=1000.0)

    async def walk() -> None:
        async with serving(tmp_path, evaluation=easy) as server:
            await prepare(server)
            registry = server.app.registry
            strict = Gate(require_success=True, bounds={"diversity_min": 1000.0})
            gates = {"stable": strict, "beta": Gate(require_success=True)}
            registry.set_policy("acme", channels=gates, author=ROOT)

            stable = await evaluate(server, ask())
            beta = await evaluate(server, ask(channel="beta"))

            assert [one.name for one in stable[0].started.bounds] == ["diversity_min"]
            assert beta[0].started.bounds == []
            verdicts = [one[-1].verdict for one in (stable, beta)]
            assert [one.verdict for one in verdicts] == [pb.VERDICT_FAILED, pb.VERDICT_INCONCLUSIVE]
            assert all(one.created for one in verdicts)
            (first, second) = reports_in(registry)
            assert [one.pattern for one in first.policies] == ["stable"]
            assert (first.bounds["diversity_min"], second.policies) == (1000.0, ())
            assert first.measurement == second.measurement
            # The newest report is the laxer one.
            with pytest.raises(PreconditionFailed, match=r"sive, .* it is Failed") as refused:
                registry.promote(REF, channel="stable", author=ROOT)
            assert refused.value.reason == "GATE_NOT_MET"

    asyncio.run(walk())
