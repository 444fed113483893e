# SPDX-License-Identifier: Apache-2.0
"""Rows opened, stepped and closed on one base: whatever goes wrong, nothing is left behind."""

from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import torch

from tabard_registry import BaseProfile
from tabard_server.adapters.host_adapter import HostAdapter, HostChange
from tabard_server.engine import engine as engine_module
from tabard_server.engine.engine import Engine
from tabard_server.engine.load_engine import EngineSettings, load_engine
from tabard_server.engine.row import Row
from tabard_server.engine.slots import slot_table
from tabard_server.engine.slots.packed_weights import PackedWeights
from tabard_server.engine_port.base_facts import NUMERICS
from tabard_server.engine_port.costs import Compiling
from tabard_server.engine_port.errors import (
    AdapterMismatch,
    DeviceMemoryFull,
    MergedTooLarge,
    RowNotPossible,
)
from tabard_server.engine_port.row_spec import RowSpec
from tests.server.adapters.packing import pack_file
from tests.server.drawings import row_spec
from tests.server.engine.tiny_base import skip_if_absent

TOLERANCE = 1e-9


def _spec(*stack: tuple[HostAdapter, float], **changes: Any) -> RowSpec:
    return row_spec(stack=stack, **{"seed": 3} | changes)


def _draw(engine: Engine, *specs: RowSpec, is_merged: bool = False) -> list[torch.Tensor]:
    rows = [row for row in engine.open_rows(specs) if isinstance(row, Row)]
    assert len(rows) == len(specs)
    while pending := [row for row in rows if not row.is_done]:
        engine.step(pending, is_merged=is_merged)
    for row in rows:
        engine.close_row(row)
    return [row.latents for row in rows]


def test_server_without_copy_refuses_row(tiny_base: Path) -> None:
    """A row that needs the copy gets a reason and no image."""
    settings = EngineSettings(base=str(tiny_base), device="cpu", can_merge=False)
    engine = load_engine(settings)

    (found,) = engine.open_rows([_spec((_dense(engine, "unet", "conv_in.bias"), 1.0))])

    assert isinstance(found, MergedTooLarge)
    assert "merged_copy" in found.hint


def test_packed_weights_change_no_bit(
    tiny_base: Path, profile: BaseProfile, files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bare, in slots and merged: latents are those of a server without room for packed weights."""
    seconds = count()
    monkeypatch.setattr(
        engine_module,
        "PackedWeights",
        partial(PackedWeights, clock=lambda: next(seconds) ** 2.0),
    )
    worn = pack_file(files["kohya"], profile=profile, folder=tiny_base.parent, dtype=torch.float32)
    settings = EngineSettings(base=str(tiny_base), device="cpu", dtype="float32")
    engine = load_engine(settings)
    assert engine.plan is not None and engine._packed is not None
    least = replace(engine.plan, packed=0, texts=0).total
    plain = load_engine(replace(settings, memory_bytes_max=least))

    for stack, is_merged in (((), False), (((worn, 0.8),), False), (((worn, 0.8),), True)):
        specs = [_spec(*stack, seed=seed) for seed in (3, 4)]
        found, expected = (_draw(one, *specs, is_merged=is_merged) for one in (engine, plain))
        assert all(map(torch.equal, found, expected))

    assert 0 < engine._packed.bytes <= engine.plan.packed
    assert plain._packed is not None and plain._packed.bytes == 0


def test_slots_take_memory_at_first_need(
    tiny_base: Path,
    adapters: dict[str, HostAdapter],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """At a start next to none; what does not fit later is the row's own failure."""
    settings = EngineSettings(base=str(tiny_base), device="cpu", dtype="float64")
    engine = load_engine(settings)
    assert engine.plan is not None
    assert _slot_bytes(engine) < engine.plan.slots / 1_000

    with monkeypatch.context() as patch:
        patch.setattr(slot_table, "make_tables", Mock(side_effect=MemoryError))
        (full,) = engine.open_rows([_spec((adapters["kohya"], 1.0))])
    _draw(engine, _spec((adapters["kohya"], 1.0)))

    assert isinstance(full, DeviceMemoryFull)
    assert engine.plan.slots / 1_000 < _slot_bytes(engine) < engine.plan.slots
    monkeypatch.setenv("PATH", "")  # no compiler: none is started
    compiled = load_engine(replace(settings, compiling=Compiling(root=tmp_path)))
    assert compiled.plan is not None and _slot_bytes(compiled) == compiled.plan.slots


def _slot_bytes(engine: Engine) -> int:
    """Return what all tables take."""
    buffers = [one for model in engine._base.models.values() for one in model.named_buffers()]
    return sum(table.untyped_storage().nbytes() for name, table in buffers if ".slot_" in name)


def test_nan_stack_is_not_merged(engine: Engine, adapters: dict[str, HostAdapter]) -> None:
    """A stack that makes the base NaN is refused before a row moves, and the next one merges."""
    (row,) = engine.open_rows([_spec((_dense(engine, "unet", "conv_in.bias", float("nan")), 1.0))])
    assert isinstance(row, Row)

    with pytest.raises(AdapterMismatch):
        engine.step([row], is_merged=True)

    assert row.steps_done == 0
    engine.close_row(row)
    spec = _spec((adapters["kohya"], 1.0))
    (merged,), (slotted,) = _draw(engine, spec, is_merged=True), _draw(engine, spec)
    torch.testing.assert_close(merged, slotted, rtol=TOLERANCE, atol=TOLERANCE)


def _dense(engine: Engine, component: str, parameter: str, value: float = 0.5) -> HostAdapter:
    """An adapter that adds a number to every element of one vector."""
    width = engine.profile.vectors[component][parameter]
    change = HostChange(
        component=component,
        parameter=parameter,
        method="dense",
        scale=1.0,
        options={},
        parts={"diff": torch.full((width,), value)},
    )
    return HostAdapter(
        digest=f"sha256:{component}{parameter}{value}",
        kind="lora",
        rank=0,
        layers={},
        tokens=(),
        changes=(change,),
        resident_bytes=4 * width,
    )


def test_closed_row_gives_its_slots_back(engine: Engine, adapters: dict[str, HostAdapter]) -> None:
    """Once, however often it is closed; the adapter stays for whoever comes next."""
    (row,) = engine.open_rows([_spec((adapters["kohya"], 1.0))])
    assert isinstance(row, Row)
    leases = {use.digest: use.leases for use in engine.residents()}

    engine.close_row(row)
    engine.close_row(row)

    digest = adapters["kohya"].digest
    assert leases[digest] == 1
    assert {use.digest: use.leases for use in engine.residents()}[digest] == 0


def test_row_that_cannot_open_holds_nothing(
    engine: Engine, adapters: dict[str, HostAdapter]
) -> None:
    """Its neighbours open; what it had leased before it failed is given back."""
    bad = _spec((adapters["kohya"], 1.0), clip_skip=99)
    # The engine is shared with other files, whose rows may be open still.
    before = sum(use.leases for use in engine.residents())

    error, row = engine.open_rows([bad, _spec()])

    assert isinstance(error, RowNotPossible)
    assert isinstance(row, Row)
    engine.close_row(row)
    assert sum(use.leases for use in engine.residents()) == before


def test_broken_prediction_breaks_one_row(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row whose own sampler has no room is told so; its neighbour has moved."""
    skip_if_absent("dpmpp_sde")
    specs = [_spec(sampler="dpmpp_sde"), _spec(seed=9)]
    bad, good = (row for row in engine.open_rows(specs))
    assert isinstance(bad, Row) and isinstance(good, Row)

    def full(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("no room")

    monkeypatch.setattr(bad.course, "advance", full)
    engine.step([bad, good])

    assert isinstance(bad.failure, DeviceMemoryFull)
    assert (bad.steps_done, good.steps_done, good.failure) == (0, 1, None)


def test_equal_prompts_are_encoded_once(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Images of one job share one text; another prompt is another."""
    encoded: list[str] = []
    encode = engine._text._encode

    def counted(spec: RowSpec, *, slots: Any, part: int) -> Any:
        encoded.append(spec.drawing.prompts[part])
        return encode(spec, slots=slots, part=part)

    monkeypatch.setattr(engine._text, "_encode", counted)
    engine._text.kept.clear()
    engine.open_rows([_spec(prompt="a", seed=n) for n in range(3)] + [_spec(prompt="b")])

    assert encoded == ["a", "b"]


def test_numerics_are_told(engine: Engine) -> None:
    """Beside the libraries, so that the provenance of every image names them."""
    assert engine.facts.versions["numerics"] == NUMERICS
    assert {"diffusers", "torch"} <= engine.facts.versions.keys()
