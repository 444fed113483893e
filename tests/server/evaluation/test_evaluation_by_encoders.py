# SPDX-License-Identifier: Apache-2.0
"""Learned encoders of a server judge, are named in the report, and are not mixed with others."""

import asyncio
import json
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tabard_server.errors import NotEvaluable
from tabard_server.judgement.pictures.encoder import EncoderKind, Vectors
from tests.server.encoders.learned import Learned
from tests.server.evaluation.wishes.asking import ask, evaluate, prepare, stub
from tests.server.harness import Server, refusal_of, serving, small_limits


@dataclass(frozen=True)
class Failing(Learned):
    """An encoder that gives NaN of every picture."""

    def embed(self, pictures: Any) -> Vectors:
        raise NotEvaluable("NaN", reason="ENCODER_NOT_FINITE", hint="name another")


@dataclass(frozen=True)
class Hanging(Learned):
    """An encoder that looks for ever."""

    let_go: threading.Event = field(default_factory=threading.Event)

    def embed(self, pictures: Any) -> Vectors:
        self.let_go.wait(60)
        return super().embed(pictures)


async def report_on(server: Server, version: str) -> Any:
    """Evaluate a release beside the other one; return its report."""
    other = "1.1.0" if version == "1.0.0" else "1.0.0"
    events = await evaluate(server, ask(f"acme/ink@{version}", against=f"acme/ink@{other}"))
    return json.loads(events[-1].verdict.report)


def remarks(report: Any) -> list[str]:
    return [one for one in report["reasons"] if one.startswith("ENCODER_CHANGED")]


def test_learned_encoders_are_named_once(tmp_path: Path) -> None:
    """With the digest of all that shapes their vectors, however many places they have."""

    async def walk() -> None:
        async with serving(tmp_path, encoders=[Learned(EncoderKind.SUBJECT)]) as server:
            await prepare(server)
            report = await report_on(server, "1.1.0")

        named = [(one["name"], one["kind"], one["digest"][:10]) for one in report["encoders"]]
        assert named.count(("mine", "subject", "sha256:ccc")) == 1
        assert len(named) == len(set(named)) == 4

    asyncio.run(walk())


def test_other_encoders_than_the_baselines_are_told(tmp_path: Path) -> None:
    """The report on what is served is by another one: the next report says so, and is another."""

    async def walk() -> None:
        async with serving(tmp_path) as server:
            await prepare(server)
            await report_on(server, "1.0.0")
            before = await report_on(server, "1.1.0")
        async with serving(tmp_path, encoders=[Learned()]) as server:
            after = await report_on(server, "1.1.0")

        assert remarks(before) == []
        assert remarks(after)[0].startswith("ENCODER_CHANGED: mine did not measure the report on")
        assert before["inputs"] != after["inputs"]

    asyncio.run(walk())


def test_encoder_that_fails_fails_the_evaluation(tmp_path: Path) -> None:
    """It is told by its own reason; nothing is filed, and nothing is a pass."""

    async def walk() -> None:
        async with serving(tmp_path, encoders=[Failing()]) as server:
            await prepare(server)
            refusal = await refusal_of(stub(server).Evaluate(ask()))

            assert refusal.reason == "ENCODER_NOT_FINITE"
            assert server.app.registry.evidence is not None
            release = server.app.registry.state.adapters
            assert all(
                not one.health.evidence for line in release.values() for one in line.releases
            )

    asyncio.run(walk())


def test_encoder_that_hangs_ends_the_evaluation(tmp_path: Path) -> None:
    """Who waits for it is told, and does not wait for ever."""
    hanging = Hanging()

    async def walk() -> None:
        limits = small_limits(canary_scoring_seconds_max=0.3)
        async with serving(tmp_path, encoders=[hanging], limits=limits) as server:
            await prepare(server)
            refusal = await refusal_of(stub(server).Evaluate(ask()))
            hanging.let_go.set()

        assert refusal.reason == "ENCODER_FAILED"

    asyncio.run(walk())
