# SPDX-License-Identifier: Apache-2.0
"""docs/metrics.md: every metric with its kind, its labels and its meaning, from the collectors."""

from collections.abc import Iterator

from prometheus_client.core import Metric

from tabard_server.life.readiness import Readiness
from tabard_server.telemetry.metrics import Metrics

NAME = "metrics.md"

_HEAD = """\
# Metrics

Written from the code by `make reference`; a test holds it current. They are on `metrics_listen` at
`/metrics`, beside `/livez` and `/readyz` ([operating.md](operating.md)). `deploy/grafana` has a
dashboard that shows them all, `deploy/prometheus` the alerts.

| metric | kind | labels | |
|---|---|---|---|
"""
_LABELS = {
    "tabard_adapter_cache_hits": ("tier",),
    "tabard_adapter_load_seconds": ("tier",),
    "tabard_adapter_loads": ("tier",),
    "tabard_adapter_resident_bytes": ("tier",),
    "tabard_channel_moves": ("action",),
    "tabard_failures": ("reason",),
    "tabard_image_reports": ("label",),
    "tabard_jobs": ("outcome",),
    "tabard_rows": ("adapter", "version"),
    **dict.fromkeys(
        ("tabard_tenant_queue_seconds", "tabard_tenant_refusals", "tabard_tenant_rows"),
        ("tenant",),
    ),
}


def written() -> str:
    """Return the page."""
    return _HEAD + "\n".join(_line(metric) for metric in sorted(collected(), key=_name)) + "\n"


def collected() -> Iterator[Metric]:
    """Yield every metric of a server that is described."""
    metrics = Metrics()
    metrics.describe(version="", base_family="", device="")
    Readiness(metrics=metrics, retry_seconds=1.0)
    yield from metrics.registry.collect()


def _name(metric: Metric) -> str:
    return metric.name


def _line(metric: Metric) -> str:
    name = metric.name + {"counter": "_total", "info": "_info"}.get(metric.type, "")
    labels = ", ".join(f"`{one}`" for one in labels_of(metric))
    return f"| `{name}` | {metric.type} | {labels} | {metric.documentation} |"


def labels_of(metric: Metric) -> tuple[str, ...]:
    """Return the labels of a metric, also where it has no series yet."""
    found = {name for sample in metric.samples for name in sample.labels} - {"le"}
    return tuple(sorted(found)) or _LABELS.get(metric.name, ())
