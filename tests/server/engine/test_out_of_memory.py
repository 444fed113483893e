# SPDX-License-Identifier: Apache-2.0
"""Running out of memory is an error that the loop can act on."""

from typing import Any

import pytest
import torch

from tabard_server.adapters.host_adapter import HostAdapter
from tabard_server.engine.engine import Engine
from tabard_server.engine.row import Row
from tabard_server.engine_port.errors import (
    DeviceMemoryFull,
)
from tabard_server.engine_port.row_spec import RowSpec
from tests.server.drawings import row_spec


def _spec(*stack: tuple[HostAdapter, float], **changes: Any) -> RowSpec:
    return row_spec(stack=stack, **{"seed": 3} | changes)


@pytest.mark.parametrize(
    "error",
    [torch.OutOfMemoryError("no room"), RuntimeError("DefaultCPUAllocator: can't allocate memory")],
    ids=["cuda", "cpu"],
)
def test_full_memory_is_told(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """A pass that does not fit moves no row, and says so with a reason."""
    (row,) = engine.open_rows([_spec()])
    assert isinstance(row, Row)

    def full(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(engine._base.unet, "forward", full)
    with pytest.raises(DeviceMemoryFull):
        engine.step([row])
    monkeypatch.undo()

    assert row.steps_done == 0
    engine.step([row])
    assert row.steps_done == 1
    engine.close_row(row)
