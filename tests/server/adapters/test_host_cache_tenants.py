# SPDX-License-Identifier: Apache-2.0
"""The line in front of host memory, as tenants stand in it."""

import asyncio

import pytest

from tabard_server.adapters.host_memory import Lease
from tabard_server.errors import TooLarge
from tabard_server.limits import TenantLimits, Tenants
from tabard_server.scheduler.claims import Claim
from tests.server.adapters.sized_adapters import SizedLoader, caching
from tests.server.harness import until


def test_light_tenant_waits_for_no_other() -> None:
    """It is leased at once though others hold all that may be ready, and have more in line."""

    async def walk() -> None:
        async with caching(SizedLoader(), waiting_rows_max=2) as cache:
            leased: list[str] = []

            def enter(tenant: str) -> None:
                cache.enter(
                    [],
                    rows=1,
                    claim=Claim(tenant=tenant),
                    on_lease=lambda _lease: leased.append(tenant),
                    on_failure=pytest.fail,
                )

            for _ in range(5):
                enter("heavy")
            enter("light")
            enter("light")

            assert leased == ["heavy", "heavy", "light"]

    asyncio.run(walk())


def test_tenant_holds_no_more_than_its_part() -> None:
    """Its next stack waits for its own, and others take the room meanwhile; alone it is refused."""

    async def walk() -> None:
        tenants = Tenants([TenantLimits(name="small", resident_bytes_max=10)])
        async with caching(SizedLoader(), tenants=tenants) as cache:
            for name in "abc":
                await cache.load(name)
            leases: dict[str, Lease] = {}

            def enter(name: str, *, tenant: str) -> None:
                cache.enter(
                    [name],
                    rows=0,
                    claim=Claim(tenant=tenant),
                    on_lease=lambda lease: leases.update({name: lease}),
                    on_failure=pytest.fail,
                )

            enter("a", tenant="small")
            enter("b", tenant="small")
            enter("c", tenant="other")
            assert [*leases] == ["a", "c"]

            leases["a"].release()
            await until(lambda: "b" in leases)
            with pytest.raises(TooLarge, match="a tenant like this one has 10"):
                cache.require_room(["a", "b"], tenant="small")

    asyncio.run(walk())
