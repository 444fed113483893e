# SPDX-License-Identifier: Apache-2.0
"""From settings to an engine, or a refusal that says which word is wrong."""

from pathlib import Path

import pytest

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
