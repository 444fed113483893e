# SPDX-License-Identifier: Apache-2.0
"""Canaries as both clients do them, against a whole server."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tabard import (
    AsyncClient,
    Canary,
    CanaryPair,
    Client,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
)
from tabard_registry import Digest
from tabard_registry.acts import CanaryName, end_canary
from tests.clients.fakes.real_server import RealServer
from tests.registry.canary_acts import FIGURES, SERVER, pair, write
from tests.registry.fakes import NAME

REF = "acme/ink@1.1.0"


@pytest.fixture(autouse=True)
def _releases(server: RealServer, client: Client) -> None:
    for version in ("1.0.0", "1.1.0"):
        server.publish("acme/ink", version)
    client.promote("acme/ink@1.0.0")


def name_of(canary: Canary) -> CanaryName:
    """What the log calls it."""
    return CanaryName(adapter=NAME, candidate=Digest.parse(canary.candidate_digest))


def test_canary_is_started_looked_at_and_stopped(client: Client, server: RealServer) -> None:
    """Its figures are numbers, its verdict a word."""
    started = client.start_canary(REF, share=0.1, reason="warmer paper")
    write(server.registry, name_of(started), pair("a", -0.5), pair("b"))

    told = client.canary("acme/ink")
    stopped = client.stop_canary(REF, reason="enough seen")

    assert (started.is_open, started.verdict, started.share) == (True, "", 0.0)
    assert started.shares == (0.1, 0.25, 0.5)
    assert (told.losses, told.units, told.units_max) == (1, 2, 200)
    assert told.worst[0] == CanaryPair(
        unit="a", difference=-0.5, candidate_is_broken=False, baseline_is_broken=False
    )
    assert [one.name for one in told.streams] == ["soft", "hard", "votes", "complaints"]
    assert (stopped.verdict, stopped.said, stopped.is_open) == ("stopped", "enough seen", False)
    assert (stopped.losses, stopped.units) == (1, 2)
    assert client.canary(REF) == stopped
    assert client.canaries() == ()
    assert client.canaries("acme/ink") == (stopped,)


def test_rollback_is_told_with_its_figures(client: Client, server: RealServer) -> None:
    """What a promoted candidate was judged by, when it was taken back."""
    client.promote(REF)
    started = client.start_canary(REF)
    act = end_canary(name_of(started), verdict="rolled_back", figures=FIGURES, said="worse")
    server.registry.commit(act, author=SERVER)

    told = client.canary(REF)

    assert (started.is_promoted, started.share, started.shares) == (True, 1.0, ())
    assert (told.verdict, told.said, told.judged_by) == ("rolled_back", "worse", "server")
    assert (told.e_value, told.losses, told.units) == (170.5, 11, 11)
    assert client.resolve("acme/ink").version == "1.0.0"


def test_complaint_names_a_picture(client: Client, tmp_path: Path) -> None:
    """By its file, by its bytes, by its digest, or by its job."""
    image = client.generate("x", adapters="acme/ink", num_inference_steps=1)
    path = tmp_path / "image.png"
    path.write_bytes(image.images[0].content)

    found = [
        client.report_image("artifact", image=path),
        client.report_image("artifact", image=path.read_bytes()),
        client.report_image("artifact", job=image.job_id),
    ]

    assert {(one.counted, one.version) for one in found} == {(False, "1.0.0")}
    path.write_bytes(path.read_bytes() + b"changed")
    with pytest.raises(NotFound) as refused:
        client.report_image("artifact", image=path)
    assert refused.value.reason == "IMAGE_UNKNOWN"


@pytest.mark.parametrize("said", [{}, {"job": "a", "digest": "b"}])
def test_complaint_about_nothing(client: Client, said: dict[str, Any]) -> None:
    """Is a mistake before it is sent."""
    with pytest.raises(InvalidArgument, match="one of them"):
        client.report_image("artifact", **said)


def test_mistakes_are_typed(client: Client) -> None:
    """Shares, labels, and a canary that is not there."""
    with pytest.raises(InvalidArgument, match="share"):
        client.start_canary(REF, share=1.5)
    with pytest.raises(InvalidArgument) as unknown:
        client.report_image("ugly", job="a")  # type: ignore[arg-type]
    with pytest.raises(NotFound) as absent:
        client.canary(REF)
    with pytest.raises(FailedPrecondition) as alone:
        client.start_canary("acme/ink@1.0.0")

    assert unknown.value.reason == "LABEL_UNKNOWN"
    assert absent.value.reason == "CANARY_NOT_FOUND"
    assert alone.value.reason == "CANARY_WITHOUT_BASELINE"


def test_asyncio_client_does_the_same(server: RealServer) -> None:
    """Start, look, list, stop."""

    async def walk() -> tuple[Canary, ...]:
        async with AsyncClient(server.address, actor="ann") as client:
            started = await client.start_canary(REF, shadow=True)
            assert await client.canary(REF) == started
            assert await client.canaries() == (started,)
            return started, await client.stop_canary(REF, reason="enough")

    started, stopped = asyncio.run(walk())

    assert (started.shares, stopped.verdict) == ((), "stopped")
