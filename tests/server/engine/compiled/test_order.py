# SPDX-License-Identifier: Apache-2.0
"""An order crosses to another process; a key is that of one base on one machine."""

from dataclasses import replace
from pathlib import Path

import pytest

from tabard_server.engine.compiled import order as order_module
from tabard_server.engine.compiled.order import BaseOrder, Order, tools_key
from tests.server.engine.compiled.conftest import shape


def test_order_is_read_as_written(base_order: BaseOrder) -> None:
    """Every field comes out as it went in."""
    worn = replace(shape(), rows=1, ranks=16, magnitudes=2, scales_outputs=True)
    order = Order(base=base_order, shape=worn, threads=3, target=Path("/tmp/one.so"))

    assert Order.from_json(order.to_json()) == order


def test_key_changes_with_everything(
    base_order: BaseOrder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another architecture, dtype, table, version or machine: another folder."""
    keys = {
        base_order.key,
        replace(base_order, config={**base_order.config, "in_channels": 9}).key,
        replace(base_order, dtype="float64").key,
        replace(base_order, rank_rows=10).key,
    }
    tools = {tools_key("cpu")}
    for name in ("_version", "_processor"):
        with monkeypatch.context() as patch:
            patch.setattr(order_module, name, lambda *_: "another")
            keys.add(base_order.key)
            tools.add(tools_key("cpu"))

    assert (len(keys), len(tools)) == (6, 3)
    assert base_order.key == replace(base_order).key
