# SPDX-License-Identifier: Apache-2.0
"""docs/metrics.md says what the code says."""

from prometheus_client.metrics import MetricWrapperBase

from tabard_server.telemetry.metrics import Metrics
from tests.reference import metrics_page
from tests.root import ROOT


def test_page_is_current() -> None:
    """Whoever changes the code writes the page anew."""
    page = (ROOT / "docs" / metrics_page.NAME).read_text(encoding="utf-8")

    assert page == metrics_page.written(), "run: make reference"


def test_every_label_is_on_the_page() -> None:
    """A metric without a series yet has the labels that it was declared with."""
    metrics = Metrics()
    declared = {
        one._name: tuple(one._labelnames)
        for one in vars(metrics).values()
        if isinstance(one, MetricWrapperBase)
    }

    for metric in metrics_page.collected():
        if metric.type != "info" and metric.name in declared:
            assert metrics_page.labels_of(metric) == tuple(sorted(declared[metric.name])), metric
