# SPDX-License-Identifier: Apache-2.0
"""What a server logs of real requests and acts: every end, every act, and no prompt."""

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest

from tests.server.fakes import FakeEngine
from tests.server.harness import Request, Server, refs, refusal_of, serving, until
from tests.server.telemetry.logged import logged

SECRET = "a secret wish"
OUTCOMES = ("done", "cancelled", "expired", "withdrawn", "failed", "refused")


async def live(server: Server, engine: FakeEngine) -> None:
    """Let a job end in every way there is."""
    generate = server.generation.Generate
    for name in ("ink", "bad"):
        await server.publish(f"acme/{name}")
        await server.promote(f"acme/{name}@1.0.0")
    await server.generate(SECRET, adapters=["acme/ink"], num_images=2)
    await refusal_of(generate(Request(prompt=SECRET, adapters=refs("acme/nothing"))))
    engine.hold_steps()
    long = Request(prompt=SECRET, num_inference_steps=100)
    call = generate(long)
    await until(lambda: server.app.loop.running_count == 1)
    call.cancel()
    late = asyncio.ensure_future(refusal_of(generate(long, timeout=0.3)))
    worn = asyncio.ensure_future(
        refusal_of(generate(Request(prompt=SECRET, adapters=refs("acme/bad"))))
    )
    await late
    await until(lambda: server.app.generation.jobs_left == 1)
    await server.quarantine("acme/bad@1.0.0")
    await worn
    engine.let_go()
    await until(lambda: server.app.loop.running_count == 0)
    engine.step_errors.append(ZeroDivisionError("broken"))
    await refusal_of(generate(Request(prompt=SECRET)))
    await until(lambda: server.app.generation.jobs_left == 0)


def run(folder: Path, **settings: Any) -> dict[str, float | None]:
    """Run a server through it; return the jobs that its metrics counted by outcome."""
    engine, counted = FakeEngine(), {}

    async def walk() -> None:
        async with serving(folder, engine=engine, **settings) as server:
            await live(server, engine)
            value = server.app.metrics.registry.get_sample_value
            for outcome in OUTCOMES:
                counted[outcome] = value("tabard_jobs_total", {"outcome": outcome})

    asyncio.run(walk())
    return counted


@pytest.fixture
def heard(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """What is logged at any level."""
    caplog.set_level(logging.DEBUG, logger="tabard")
    return caplog


def test_every_end_is_a_line(tmp_path: Path, heard: pytest.LogCaptureFixture) -> None:
    """As many lines as the metrics count jobs, each with its reason, and the prompt in none."""
    counted = run(tmp_path)

    ended = logged(heard, "job.ended")
    found = [one["outcome"] for one in ended] + ["refused"] * len(logged(heard, "job.refused"))
    assert sorted(found) == sorted(OUTCOMES)
    assert counted == dict.fromkeys(OUTCOMES, 1.0)
    reasons = {one["outcome"]: one.get("reason") for one in ended}
    assert reasons == {
        "done": None,
        "cancelled": "JOB_CANCELLED",
        "expired": "DEADLINE_EXCEEDED",
        "withdrawn": "RELEASE_QUARANTINED",
        "failed": "JOB_FAILED",
    }
    done = next(one for one in ended if one["outcome"] == "done")
    assert (done["adapters"], done["images"]) == (["acme/ink@1.0.0"], 2)
    assert done["seconds"] >= done["queue_seconds"] >= 0
    assert SECRET not in heard.text


def test_every_act_is_a_line(tmp_path: Path, heard: pytest.LogCaptureFixture) -> None:
    """Those that came through this server, with who did it, why and to which bytes."""
    run(tmp_path)

    acts = logged(heard, "registry.act")
    assert [one["act"] for one in acts] == [*["publish", "promote"] * 2, "quarantine"]
    assert {one["origin"] for one in acts} == {"here"}
    assert (acts[-1]["actor"], acts[-1]["reason"]) == ("tester", "stolen")
    assert acts[-1]["digest"].startswith("sha256:")


def test_prompts_only_where_a_setting_says_so(
    tmp_path: Path, heard: pytest.LogCaptureFixture
) -> None:
    """Then every end has them."""
    run(tmp_path, log_prompts=True)

    assert {one["prompt"] for one in logged(heard, "job.ended")} == {SECRET}


def test_flood_is_a_sample_and_a_sum(tmp_path: Path, heard: pytest.LogCaptureFixture) -> None:
    """Of a thousand refusals a few have lines, and no job is missing from lines and sums."""

    async def walk() -> None:
        async with serving(tmp_path, log_jobs_per_second_max=2) as server:
            wrong = Request(prompt="x", num_inference_steps=10_000)
            await asyncio.gather(
                *(refusal_of(server.generation.Generate(wrong)) for _ in range(200))
            )

    asyncio.run(walk())

    lines = len(logged(heard, "job.refused"))
    left_out = sum(one["refused"] for one in logged(heard, "jobs.left_out"))
    assert lines + left_out == 200
    assert left_out > lines
