# SPDX-License-Identifier: Apache-2.0
"""Dashboard and alerts speak of the metrics that the server really has, and of all of them."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from prometheus_client import generate_latest

from tabard_server.telemetry.metrics import Metrics
from tests.root import ROOT

DEPLOY = ROOT / "deploy"
DASHBOARD = json.loads((DEPLOY / "grafana/dashboards/tabard.json").read_text(encoding="utf-8"))
RULES = yaml.safe_load((DEPLOY / "prometheus/rules.yml").read_text(encoding="utf-8"))
DATASOURCES = yaml.safe_load(
    (DEPLOY / "grafana/provisioning/datasources/prometheus.yml").read_text(encoding="utf-8")
)


def page() -> str:
    """Return the metrics page of a server that has just started."""
    metrics = Metrics()
    metrics.describe(version="1.0.0", base_family="sd1", device="cpu")
    return generate_latest(metrics.registry).decode()


def declared(text: str) -> dict[str, str]:
    """Return the type of every metric by name; when a series began is nobody's business."""
    found = re.findall(r"^# TYPE (\w+) (\w+)$", text, flags=re.MULTILINE)
    return {name: kind for name, kind in found if not name.endswith("_created")}


def series(text: str) -> set[str]:
    """Return every series name a query may use."""
    names: set[str] = set()
    for name, kind in declared(text).items():
        endings = ("_bucket", "_sum", "_count") if kind == "histogram" else ("",)
        names.update(name + ending for ending in endings)
    return names


def values_of(key: str, tree: Any) -> Iterator[str]:
    """Yield every text under `key`, however deep."""
    if isinstance(tree, dict):
        yield from (value for name, value in tree.items() if name == key and isinstance(value, str))
        for value in tree.values():
            yield from values_of(key, value)
    elif isinstance(tree, list):
        for value in tree:
            yield from values_of(key, value)


def names_in(queries: Iterator[str]) -> set[str]:
    """Return the metric names that queries speak of; names with a colon are recorded by a rule."""
    return {name for query in queries for name in re.findall(r"\btabard_\w+(?!:)", query)}


USED = {
    "dashboard": names_in(values_of("expr", DASHBOARD))
    | names_in(values_of("definition", DASHBOARD)),
    "rules": names_in(values_of("expr", RULES)),
}


@pytest.mark.parametrize("where", USED)
def test_queries_use_real_metrics(where: str) -> None:
    """A renamed metric leaves no empty panel and no silent alert behind."""
    real = series(page())

    unknown = USED[where] - real

    assert USED[where]
    assert unknown == set()


def test_dashboard_shows_every_metric() -> None:
    """What is worth measuring is worth a panel."""
    shown = {re.sub(r"_(bucket|sum|count)$", "", name) for name in USED["dashboard"]}

    assert set(declared(page())) - shown == set()


def test_every_metric_says_what() -> None:
    """Each metric has a help text that ends like a sentence."""
    helps = dict(re.findall(r"^# HELP (\w+) (.+)$", page(), flags=re.MULTILINE))

    for name in declared(page()):
        assert re.fullmatch(r".{10,}\.", helps.get(name, "")), name


def test_metric_names_end_in_units() -> None:
    """Counters end in `_total`, times in `_seconds`, sizes in `_bytes`."""
    for name, kind in declared(page()).items():
        assert name.startswith("tabard_")
        assert (kind == "counter") == name.endswith("_total"), name
        assert not name.endswith(("_ms", "_time", "_mb")), name


def test_panels_lie_on_the_grid() -> None:
    """Panels have their own ids, stay within 24 columns and never overlap."""
    cells: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        columns = range(place["x"], place["x"] + place["w"])
        own = {(x, y) for x in columns for y in range(place["y"], place["y"] + place["h"])}
        assert not own & cells, panel["title"]
        assert max(columns) < 24, panel["title"]
        cells |= own

    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))


def test_panels_ask_provisioned_source() -> None:
    """Every panel, annotation and variable names the datasource that is provisioned."""
    provisioned = {source["uid"] for source in DATASOURCES["datasources"]}
    asked = [
        *(panel["datasource"]["uid"] for panel in DASHBOARD["panels"] if panel["type"] != "row"),
        *(mark["datasource"]["uid"] for mark in DASHBOARD["annotations"]["list"]),
        *(variable["datasource"]["uid"] for variable in DASHBOARD["templating"]["list"]),
    ]

    assert set(asked) == provisioned


def test_channel_moves_are_annotations() -> None:
    """A promotion or rollback is marked on every panel."""
    marks = [mark["expr"] for mark in DASHBOARD["annotations"]["list"] if mark["enable"]]

    assert any("tabard_channel_moves_total" in expression for expression in marks)


def test_alerts_say_what_to_do() -> None:
    """Every alert has a summary, a remedy and somebody to wake."""
    alerts = [rule for group in RULES["groups"] for rule in group["rules"] if "alert" in rule]

    assert alerts
    for alert in alerts:
        assert alert["annotations"]["summary"]
        assert alert["annotations"]["remedy"]
        assert alert["labels"]["severity"] in {"page", "ticket"}
