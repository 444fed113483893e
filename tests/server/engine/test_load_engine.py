# SPDX-License-Identifier: Apache-2.0
"""From settings to an engine, or a refusal that says which word is wrong."""

from pathlib import Path

import pytest
import torch

from tabard_server.engine.load_engine import EngineSettings, load_engine
from tabard_server.engine_port.errors import (
    BaseNotLoadable,
    MemoryTooSmall,
)


def test_compiling_needs_a_compiler(tiny_base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that could not compile says so at its start, and what would help."""
    monkeypatch.setenv("PATH", "")

    with pytest.raises(BaseNotLoadable) as caught:
        load_engine(EngineSettings(base=str(tiny_base), is_compiled=True))

    assert "g++" in caught.value.hint


@pytest.mark.parametrize(("option", "value"), [("device", "tpu9"), ("dtype", "float7")])
def test_unknown_device_or_dtype_is_refused(tiny_base: Path, option: str, value: str) -> None:
    """A wrong word in the settings stops the start, with the words that exist."""
    with pytest.raises(BaseNotLoadable, match=value):
        load_engine(EngineSettings(base=str(tiny_base), **{option: value}))


def test_server_that_cannot_fit_does_not_start(tiny_base: Path) -> None:
    """The engine refuses before anything is put on the device."""
    with pytest.raises(MemoryTooSmall):
        load_engine(EngineSettings(base=str(tiny_base), memory_bytes_max=1 << 20))


def test_settings_reach_the_engine(tiny_base: Path) -> None:
    """Device, dtype, slots and the plan of their memory are what was asked for."""
    settings = EngineSettings(
        base=str(tiny_base), device="cpu", dtype="bfloat16", slot_rank_total=8, can_merge=False
    )

    engine = load_engine(settings)

    assert (engine.device, engine.dtype) == ("cpu", torch.bfloat16)
    assert engine.source == str(tiny_base)
    assert engine.slots.capacity >= 8
    assert engine.plan is not None and engine.plan.merged == 0 and not engine.can_merge


def test_cuda_is_not_promised(tiny_base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A device that is not here stops the start, before anything is read."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)

    with pytest.raises(BaseNotLoadable, match="no CUDA device") as caught:
        load_engine(EngineSettings(base=str(tiny_base), device="cuda"))

    assert "cpu" in caught.value.hint
