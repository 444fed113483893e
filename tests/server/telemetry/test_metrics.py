# SPDX-License-Identifier: Apache-2.0
"""Every metric of the server, as its page shows them."""

import asyncio

import pytest

from tabard_server.telemetry.metrics import Metrics
from tests.server.harness import Request, read_page, refusal_of, serving, until

METRICS = (
    "tabard_rows_waiting",
    "tabard_queue_work_seconds",
    "tabard_rows_running",
    "tabard_step_seconds",
    "tabard_batch_rows",
    "tabard_rows_total",
    "tabard_tenant_rows_total",
    "tabard_tenant_queue_seconds_total",
    "tabard_tenant_refusals_total",
    "tabard_jobs_total",
    "tabard_jobs_attached_total",
    "tabard_jobs_expired_total",
    "tabard_replay_bytes",
    "tabard_safety_verdicts_total",
    "tabard_signatures_total",
    "tabard_failures_total",
    "tabard_job_seconds",
    "tabard_queue_seconds",
    "tabard_adapter_cache_hits_total",
    "tabard_adapter_loads_total",
    "tabard_adapter_load_seconds",
    "tabard_adapter_resident_bytes",
    "tabard_registry_seq",
    "tabard_text_bytes",
    "tabard_texts_total",
    "tabard_channel_moves_total",
    "tabard_registry_lag_seconds",
    "tabard_image_reports_total",
    "tabard_images_total",
    "tabard_info",
    "tabard_state",
    "tabard_engine_silent_seconds",
    "tabard_registry_checkpoints_total",
)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The metrics page of a server that has drawn, failed, swapped and refused."""

    async def walk() -> str:
        async with serving(
            tmp_path_factory.mktemp("metrics"), metrics_listen="127.0.0.1:0"
        ) as server:
            await server.publish("acme/ink")
            await server.promote("acme/ink@1.0.0")
            await server.generate("x", adapters=["acme/ink"])
            await refusal_of(server.generation.Generate(Request(prompt="a\0b")))
            moves = server.app.metrics.registry.get_sample_value
            await until(lambda: moves("tabard_channel_moves_total", {"action": "promote"}) == 1.0)
            return await asyncio.to_thread(read_page, server.metrics_address)

    return asyncio.run(walk())


def test_page_shows_every_metric(page: str) -> None:
    """The names that dashboards use are all on the page, and no other."""
    declared = {
        f"{metric.name}_total" if metric.type == "counter" else metric.name
        for metric in Metrics().registry.collect()
    }
    declared = {"tabard_info" if name == "tabard" else name for name in declared}

    assert declared == set(METRICS)
    assert all(f"\n{name}" in page for name in METRICS)


@pytest.mark.parametrize(
    "line",
    [
        'tabard_rows_total{adapter="acme/ink",version="1.0.0"} 1.0',
        'tabard_tenant_rows_total{tenant=""} 1.0',
        'tabard_tenant_refusals_total{tenant=""} 1.0',
        'tabard_jobs_total{outcome="done"} 1.0',
        'tabard_jobs_total{outcome="refused"} 1.0',
        'tabard_failures_total{reason="PROMPT_INVALID"} 1.0',
        'tabard_adapter_loads_total{tier="host"} 1.0',
        'tabard_adapter_loads_total{tier="slot"} 1.0',
        "tabard_registry_seq 2.0",
        "tabard_images_total 1.0",
        "tabard_rows_running 0.0",
    ],
)
def test_page_counts_what_happened(page: str, line: str) -> None:
    """Numbers follow the walk of requests."""
    assert line in page.splitlines()
