# SPDX-License-Identifier: Apache-2.0
"""Counts by tenant: of those heard of last, and of all others together."""

import asyncio
from pathlib import Path

from prometheus_client import CollectorRegistry

from tabard_registry.identity.roles import Role
from tabard_server.limits import Limits
from tabard_server.telemetry.tenants import TenantCounts
from tests.server.harness import Request, refs, refusal_of, until
from tests.server.rpc.door.known_callers import OTHER as BETA
from tests.server.rpc.door.known_callers import OWN, as_bearer, asking, token_for

ROWS, WAITS, REFUSALS = (
    f"tabard_tenant_{one}_total" for one in ("rows", "queue_seconds", "refusals")
)


def counted(registry: CollectorRegistry) -> dict[tuple[str, str], float]:
    """Return every series of tenants, by metric and tenant."""
    return {
        (sample.name, sample.labels["tenant"]): sample.value
        for family in registry.collect()
        if family.name.startswith("tabard_tenant")
        for sample in family.samples
    }


def test_tenants_are_counted_apart() -> None:
    """Images, waits and refusals."""
    registry = CollectorRegistry()
    tenants = TenantCounts(registry=registry, tenants_max=2)

    tenants.count_row("studio")
    tenants.count_wait("studio", seconds=1.5)
    tenants.count_refusal("school")

    assert counted(registry) == {
        (ROWS, "studio"): 1,
        (ROWS, "school"): 0,
        (WAITS, "studio"): 1.5,
        (WAITS, "school"): 0,
        (REFUSALS, "studio"): 0,
        (REFUSALS, "school"): 1,
    }


def test_rest_is_other() -> None:
    """Also with a tenant that is called so: no series is there twice."""
    registry = CollectorRegistry()
    tenants = TenantCounts(registry=registry, tenants_max=2)

    for name in ("a", "b", "other"):
        tenants.count_row(name)

    found = counted(registry)
    assert {tenant: value for (name, tenant), value in found.items() if name == ROWS} == {
        "b": 1,
        "other": 2,
    }


def test_work_of_tenants_is_counted(tmp_path: Path) -> None:
    """Of real calls, each by its own tenant; the one heard of longest ago is folded."""

    async def walk() -> dict[tuple[str, str], float]:
        async with asking(tmp_path, limits=Limits(metric_tenants_max=2)) as server:
            for name, space in (("ann", OWN), ("bob", BETA), ("cid", BETA)):
                secret = token_for(server, name, **{space: (Role.GENERATE,)})
                ask = Request(prompt="x", num_inference_steps=1, num_images=2)
                async for _event in server.generation.Generate(ask, metadata=as_bearer(secret)):
                    pass
                wrong = Request(prompt="x", adapters=refs("nobody/nothing"))
                await refusal_of(server.generation.Generate(wrong, metadata=as_bearer(secret)))
            await until(lambda: server.app.generation.jobs_left == 0)
            return counted(server.app.metrics.registry)

    found = asyncio.run(walk())

    for metric, most in ((ROWS, 2), (REFUSALS, 1)):
        assert {tenant: n for (name, tenant), n in found.items() if name == metric} == {
            "bob": most,
            "cid": most,
            "other": most,
        }
    assert all(found[WAITS, tenant] > 0 for tenant in ("bob", "cid", "other"))
