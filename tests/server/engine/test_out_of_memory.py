# SPDX-License-Identifier: Apache-2.0
"""Running out of memory is an error that the loop can act on."""

from contextlib import AbstractContextManager
from typing import Any

import pytest
import torch

from tabard_server.adapters.host_adapter import HostAdapter
from tabard_server.engine.engine import Engine
from tabard_server.engine.out_of_memory import translating_out_of_memory
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

    monkeypatch.setattr(engine._base.network.module, "forward", full)
    with pytest.raises(DeviceMemoryFull):
        engine.step([row])
    monkeypatch.undo()

    assert row.steps_done == 0
    engine.step([row])
    assert row.steps_done == 1
    engine.close_row(row)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("no room"),
        MemoryError(),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("not enough memory: you tried to allocate"),
    ],
    ids=["cuda", "python", "cpu", "windows"],
)
def test_memory_is_freed_before_telling(error: Exception) -> None:
    """What can be made again is let go once, and the cause is kept."""
    freed: list[str] = []

    with pytest.raises(DeviceMemoryFull) as caught, _translating(freed):
        raise error

    assert freed == ["all"]
    assert caught.value.__cause__ is error
    assert "rows_per_step_max" in caught.value.hint


@pytest.mark.parametrize("error", [RuntimeError("device-side assert"), KeyError("x")])
def test_other_errors_stay_what_they_are(error: Exception) -> None:
    """Nothing is freed for what is no matter of memory."""
    freed: list[str] = []

    with pytest.raises(type(error)) as caught, _translating(freed):
        raise error

    assert caught.value is error
    assert freed == []


def _translating(freed: list[str]) -> AbstractContextManager[None]:
    return translating_out_of_memory(lambda: freed.append("all"))
