# SPDX-License-Identifier: Apache-2.0
"""What is wanted is built beside the server; a failure is said once and stops nothing."""

import logging
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from tabard_server.engine.compiled import builder as builder_module
from tabard_server.engine.compiled.builder import Builder, BuildFailed, run_process
from tabard_server.engine.compiled.folder import LibraryFolder
from tabard_server.engine.compiled.order import BaseOrder, Order
from tests.server.engine.compiled.conftest import lay_down, shape, until
from tests.server.telemetry.logged import logged


def test_wanted_kinds_are_built_once(base_order: BaseOrder, folder: LibraryFolder) -> None:
    """In the order in which they were wanted, while whoever wants them goes on."""
    may_go_on, built = threading.Event(), []

    def run(order: Order, scratch: Path) -> dict[str, float]:
        assert may_go_on.wait(60)
        built.append(order.shape.samples)
        return lay_down(order, scratch)

    builder = Builder(base_order, folder=folder, run=run)
    for samples in (4, 2, 4):
        builder.want(shape(samples))
    waiting = builder.waiting
    may_go_on.set()
    until(lambda: builder.waiting == 0)

    assert (waiting, built) == (2, [4, 2])
    assert builder.is_built(shape(2)) and not builder.is_built(shape(8))
    assert folder.find(shape(4)) is not None


def test_failure_is_said_once(
    base_order: BaseOrder, folder: LibraryFolder, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing more is tried, for it would fail likewise."""

    def run(_order: Order, _scratch: Path) -> dict[str, float]:
        raise BuildFailed("no compiler")

    builder = Builder(base_order, folder=folder, run=run)
    with caplog.at_level(logging.INFO, logger="tabard"):
        for samples in (2, 4):
            builder.want(shape(samples))
        until(lambda: bool(builder.failure))
        builder.want(shape(8))

    assert (builder.failure, builder.waiting) == ("no compiler", 0)
    assert len(logged(caplog, "compile.failed")) == 1


def test_line_is_bounded(
    base_order: BaseOrder, folder: LibraryFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What has no place in it can be wanted again."""
    monkeypatch.setattr(builder_module, "ORDERS_MAX", 1)
    may_go_on, begun = threading.Event(), threading.Event()

    def run(order: Order, scratch: Path) -> dict[str, float]:
        begun.set()
        assert may_go_on.wait(60)
        return lay_down(order, scratch)

    builder = Builder(base_order, folder=folder, run=run)
    builder.want(shape(1))
    assert begun.wait(60)
    builder.want(shape(2))
    builder.want(shape(4))
    assert builder.waiting == 2
    may_go_on.set()
    until(lambda: builder.waiting == 0)

    builder.want(shape(4))
    until(lambda: builder.is_built(shape(4)))


def test_no_compiler_is_named(
    base_order: BaseOrder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before a process is started, and with what to install."""
    monkeypatch.setenv("PATH", "")
    order = Order(base=base_order, shape=shape(), threads=1, target=tmp_path / "one.so")

    with pytest.raises(BuildFailed, match="install g"):
        run_process(order, tmp_path)


def test_failed_process_tells_why(base_order: BaseOrder, tmp_path: Path) -> None:
    """The end of what it complained of: here that there is no such dtype."""
    nowhere = replace(base_order, dtype="float33")
    order = Order(base=nowhere, shape=shape(), threads=1, target=tmp_path / "one.so")

    with pytest.raises(BuildFailed, match=r"ended with 1: .*float33"):
        run_process(order, tmp_path)
