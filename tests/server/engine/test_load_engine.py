# SPDX-License-Identifier: Apache-2.0
"""From settings to an engine, or a refusal that says which word is wrong."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tabard_server.engine.base.schedules.schedule import Asked
from tabard_server.engine.load_engine import EngineSettings, load_engine
from tabard_server.engine.row import Row
from tabard_server.engine_port.costs import OPENVINO, Compiling
from tabard_server.engine_port.errors import (
    BaseNotLoadable,
    MemoryTooSmall,
)
from tests.server.drawings import row_spec
from tests.server.engine.base.changed_folders import copy_folder
from tests.server.engine.compiled.conftest import until
from tests.server.telemetry.logged import logged


def test_openvino_has_one_dtype(tiny_base: Path, tmp_path: Path) -> None:
    """What it could not compute with is refused before the base is read."""
    compiling = Compiling(root=tmp_path, compiler=OPENVINO)

    with pytest.raises(BaseNotLoadable, match="bfloat16 on cpu"):
        load_engine(EngineSettings(base=str(tiny_base), dtype="bfloat16", compiling=compiling))


def test_without_compiler_nothing_stops(
    tiny_base: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A server that cannot compile says so once, and what would help; it draws as ever."""
    monkeypatch.setenv("PATH", "")

    engine = load_engine(EngineSettings(base=str(tiny_base), compiling=Compiling(root=tmp_path)))

    until(lambda: engine.compiled is not None and bool(engine.compiled.failure))
    assert engine.compiled is not None
    assert "install g++" in engine.compiled.failure
    assert (engine.compiled.waiting, engine.compiled.ready) == (0, 0)
    assert len(logged(caplog, "compile.failed")) == 1
    (row,) = engine.open_rows([row_spec()])
    assert isinstance(row, Row)
    engine.step([row])
    assert row.steps_done == 1


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

    with pytest.raises(BaseNotLoadable, match="finds no device") as caught:
        load_engine(EngineSettings(base=str(tiny_base), device="cuda"))

    assert "cpu" in caught.value.hint


def test_overflow_of_the_dtype_stops_the_start(tiny_base: Path, tmp_path: Path) -> None:
    """A weight that float16 cannot say is served in float32, and refused in float16."""
    folder = copy_folder(tiny_base, tmp_path)
    file = folder / "unet" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(str(file))
    tensors["conv_in.bias"][-1] = 1e5
    save_file(tensors, str(file), metadata={"format": "pt"})

    assert load_engine(EngineSettings(base=str(folder), dtype="float32")).facts.remarks == ()
    with pytest.raises(BaseNotLoadable, match=r"conv_in\.bias .* which float16 cannot say"):
        load_engine(EngineSettings(base=str(folder), dtype="float16"))


def test_operator_settles_what_contradicts(tiny_base: Path, tmp_path: Path) -> None:
    """What is asked reaches the schedule, and what it overrules is told."""
    folder = copy_folder(tiny_base, tmp_path)
    file = folder / "unet" / "diffusion_pytorch_model.safetensors"
    save_file(load_file(str(file)), str(file), {"modelspec.prediction_type": "v"})
    asked = Asked(prediction="v_prediction")

    engine = load_engine(EngineSettings(base=str(folder), asked=asked))

    assert engine.profile.prediction == "v_prediction"
    assert "as was asked" in engine.facts.remarks[0]
    with pytest.raises(BaseNotLoadable, match="contradicts itself"):
        load_engine(EngineSettings(base=str(folder)))
