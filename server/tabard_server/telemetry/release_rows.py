# SPDX-License-Identifier: Apache-2.0
"""How many images each release drew, as one metric that does not grow without bound.

In: names and versions as images are drawn. Out: `tabard_rows_total{adapter,version}` for those that
drew last, all others together as `other`, and those of private namespaces as `private`. The sum
stays what it was.
"""

from collections.abc import Callable, Iterator

from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector, CollectorRegistry

from tabard_server.telemetry.folded import Folded

OTHER = "other"
"""The adapter under which the rest is counted; real ones have a `/` in their name."""
PRIVATE = "private"
"""The adapter under which those of private namespaces are counted."""

_NAME, _TEXT = "tabard_rows_total", "Images drawn, by what they wore."


class ReleaseRows(Collector):
    """The counter of rows. Any thread.

    Attributes:
        is_private: Says of an adapter whether its name is for nobody who reads metrics.
    """

    def __init__(self, *, registry: CollectorRegistry, releases_max: int) -> None:
        self._rows: Folded[tuple[str, str]] = Folded(keys_max=releases_max)
        self.is_private: Callable[[str], bool] = lambda _adapter: False
        registry.register(self)

    def count(self, adapter: str, version: str) -> None:
        """Count one image; whoever drew longest ago makes room for a new one."""
        self._rows.add((adapter, version), 1)

    def fold(self, adapter: str, version: str) -> None:
        """Count a release among the others from now on: it was withdrawn."""
        self._rows.fold((adapter, version))

    def collect(self) -> Iterator[Metric]:
        """Yield the metric as it is now."""
        family = CounterMetricFamily(_NAME, _TEXT, labels=("adapter", "version"))
        rows, (others,) = self._rows.read()
        private = [count for (adapter, _version), (count,) in rows if self.is_private(adapter)]
        for (adapter, version), (count,) in rows:
            if not self.is_private(adapter):
                family.add_metric((adapter, version), count)
        if private:
            family.add_metric((PRIVATE, ""), sum(private))
        if others:
            family.add_metric((OTHER, ""), others)
        yield family
