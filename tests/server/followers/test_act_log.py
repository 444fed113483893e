# SPDX-License-Identifier: Apache-2.0
"""Every act on the registry is an event of the log, and withdrawn releases leave the metrics."""

import logging
from pathlib import Path

import pytest

from tabard_registry import AdapterRef, Author, Registry
from tabard_server.followers.act_log import ActLog
from tabard_server.telemetry.metrics import Metrics
from tests.registry.fakes import publish
from tests.server.telemetry.logged import logged


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """A registry in a folder."""
    return Registry.open(str(tmp_path / "registry"))


def test_own_act_is_told_in_full(
    registry: Registry, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Who, what, which bytes, why, where in the log, and the caller's own key."""
    release = publish(registry, "1.0.0", folder=tmp_path).release
    author = Author(actor="ann", reason="warmer", request_id="r-7")
    registry.promote(AdapterRef.parse(f"{release.adapter}@1.0.0"), channel="stable", author=author)

    with caplog.at_level(logging.INFO, logger="tabard"):
        ActLog(Metrics()).review(registry.since(0))

    published, promoted = logged(caplog, "registry.act")
    assert (published["act"], published["seq"]) == ("publish", 1)
    assert promoted == {
        "event": "registry.act",
        "level": "info",
        "seq": 2,
        "act": "promote",
        "adapter": str(release.adapter),
        "version": "1.0.0",
        "channel": "stable",
        "digest": str(release.digest),
        "actor": "ann",
        "reason": "warmer",
        "request_id": "r-7",
        "origin": "here",
    }


def test_note_of_an_effective_act_is_no_refusal(
    registry: Registry, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """An edit notes what it changed; that it had no effect would be untrue."""
    release = publish(registry, "1.0.0", folder=tmp_path).release
    ref = AdapterRef.parse(f"{release.adapter}@1.0.0")
    registry.edit(ref, words={"notes": "dry"}, author=Author(actor="ann"))

    with caplog.at_level(logging.INFO, logger="tabard"):
        ActLog(Metrics()).review(registry.since(0))

    edited = logged(caplog, "registry.act")[-1]
    assert edited["note"] == "notes"
    assert "without_effect" not in edited


def test_act_of_others_is_a_detail(
    registry: Registry, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Each server tells of its own; at debug it tells of the rest too."""
    publish(registry, "1.0.0", folder=tmp_path)
    with caplog.at_level(logging.DEBUG, logger="tabard"):
        other = Registry.open(str(tmp_path / "registry"))
        ActLog(Metrics()).review(other.since(0))

    (told,) = logged(caplog, "registry.act")
    assert (told["level"], told["origin"]) == ("debug", "elsewhere")


@pytest.mark.parametrize("act", ["yank", "quarantine", "purge"])
def test_withdrawn_release_leaves_the_metrics(registry: Registry, tmp_path: Path, act: str) -> None:
    """What it drew stays in the sum, as `other`."""
    release, metrics = publish(registry, "1.0.0", folder=tmp_path).release, Metrics()
    name = str(release.adapter)
    metrics.rows.count(name, "1.0.0")
    metrics.rows.count(name, "1.1.0")
    ref, author = AdapterRef.parse(f"{name}@1.0.0"), Author(actor="ann", reason="stolen")

    getattr(registry, act)(ref, author=author)
    ActLog(metrics).review(registry.since(0))

    value = metrics.registry.get_sample_value
    assert value("tabard_rows_total", {"adapter": name, "version": "1.0.0"}) is None
    assert value("tabard_rows_total", {"adapter": name, "version": "1.1.0"}) == 1.0
    assert value("tabard_rows_total", {"adapter": "other", "version": ""}) == 1.0
