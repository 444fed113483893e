# SPDX-License-Identifier: Apache-2.0
"""What each tenant took, as metrics that do not grow without bound.

In: images, waits and refusals as they happen. Out: `tabard_tenant_…{tenant}` for the tenants that
were last heard of, all others together as `other`. Callers whom nobody asked have no tenant.
"""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector, CollectorRegistry

from tabard_server.telemetry.folded import Folded

OTHER = "other"
"""The tenant under which the rest is counted."""

_FAMILIES = (
    ("tabard_tenant_rows_total", "Images drawn, by tenant."),
    (
        "tabard_tenant_queue_seconds_total",
        "Seconds that jobs waited for their first denoise step, by tenant.",
    ),
    ("tabard_tenant_refusals_total", "Requests for images that were refused, by tenant."),
)


class TenantCounts(Collector):
    """The counters of tenants. Any thread."""

    def __init__(self, *, registry: CollectorRegistry, tenants_max: int) -> None:
        self._counts: Folded[str] = Folded(keys_max=tenants_max, width=len(_FAMILIES))
        registry.register(self)

    def count_row(self, tenant: str) -> None:
        """Count an image."""
        self._counts.add(tenant, 1, 0, 0)

    def count_wait(self, tenant: str, *, seconds: float) -> None:
        """Count what a job waited."""
        self._counts.add(tenant, 0, seconds, 0)

    def count_refusal(self, tenant: str) -> None:
        """Count a request that did not become a job."""
        self._counts.add(tenant, 0, 0, 1)

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics as they are now."""
        tenants, others = self._counts.read()
        # A tenant may be called like the rest; then it is counted with it.
        by_name = {name: sums for name, sums in tenants if name != OTHER}
        same = [sums for name, sums in tenants if name == OTHER]
        rest = [sum(column) for column in zip(others, *same, strict=True)]
        for column, (name, text) in enumerate(_FAMILIES):
            family = CounterMetricFamily(name, text, labels=("tenant",))
            for tenant, sums in by_name.items():
                family.add_metric((tenant,), sums[column])
            if any(rest):
                family.add_metric((OTHER,), rest[column])
            yield family
