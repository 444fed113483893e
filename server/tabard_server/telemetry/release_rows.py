# SPDX-License-Identifier: Apache-2.0
"""How many images each release drew, as one metric that does not grow without bound.

In: names and versions as images are drawn. Out: `tabard_rows_total{adapter,version}` for those that
drew last, all others together as `other`, and those of private namespaces as `private`. The sum
stays what it was.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator

from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector, CollectorRegistry

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
        self._releases_max = releases_max
        self._lock = threading.Lock()
        self._rows: OrderedDict[tuple[str, str], int] = OrderedDict()
        self._others = 0
        self.is_private: Callable[[str], bool] = lambda _adapter: False
        registry.register(self)

    def count(self, adapter: str, version: str) -> None:
        """Count one image; whoever drew longest ago makes room for a new one."""
        with self._lock:
            key = (adapter, version)
            self._rows[key] = self._rows.get(key, 0) + 1
            self._rows.move_to_end(key)
            if len(self._rows) > self._releases_max:
                self._others += self._rows.popitem(last=False)[1]

    def fold(self, adapter: str, version: str) -> None:
        """Count a release among the others from now on: it was withdrawn."""
        with self._lock:
            self._others += self._rows.pop((adapter, version), 0)

    def collect(self) -> Iterator[Metric]:
        """Yield the metric as it is now."""
        family = CounterMetricFamily(_NAME, _TEXT, labels=("adapter", "version"))
        with self._lock:
            rows, others = list(self._rows.items()), self._others
        private = [count for (adapter, _version), count in rows if self.is_private(adapter)]
        for (adapter, version), count in rows:
            if not self.is_private(adapter):
                family.add_metric((adapter, version), count)
        if private:
            family.add_metric((PRIVATE, ""), sum(private))
        if others:
            family.add_metric((OTHER, ""), others)
        yield family
