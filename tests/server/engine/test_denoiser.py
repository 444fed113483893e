# SPDX-License-Identifier: Apache-2.0
"""The forward pass: on slots or on a merged copy, compiled or not, the images are the same."""

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tabard_registry import BaseProfile
from tabard_server.adapters.host_adapter import HostAdapter, HostChange, PackedLayer, lay_out
from tabard_server.engine.compiled import builder
from tabard_server.engine.compiled.build import build
from tabard_server.engine.compiled.graph import PassShape
from tabard_server.engine.compiled.order import Order
from tabard_server.engine.engine import Engine
from tabard_server.engine.load_engine import EngineSettings, load_engine
from tabard_server.engine.networks.network import Words
from tabard_server.engine.row import Row
from tabard_server.engine.slots.slotted_layers import make_tables
from tabard_server.engine.slots.worn_rows import KEPT_BATCHES
from tabard_server.engine_port.costs import OPENVINO, Compiling
from tabard_server.engine_port.row_spec import RowSpec
from tests.server.adapters.packing import pack_file
from tests.server.drawings import row_spec
from tests.server.engine.compiled.conftest import until

TOLERANCE = 1e-9
SWAPS = 1_000


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


@pytest.mark.parametrize("names", [["diffusers"], ["kohya"], ["diffusers", "kohya"]])
def test_merged_rows_equal_slotted_rows(
    engine: Engine, adapters: dict[str, HostAdapter], names: list[str]
) -> None:
    """Who steps on the copy gets the image that the slots give."""
    stack = tuple((adapters[name], 0.7) for name in names)
    specs = [_spec(*stack), _spec(*stack, seed=4, guidance_scale=1.0)]

    slotted, merged = _draw(engine, *specs), _draw(engine, *specs, is_merged=True)

    for left, right in zip(slotted, merged, strict=True):
        torch.testing.assert_close(left, right, rtol=TOLERANCE, atol=TOLERANCE)


def test_base_is_bare_after_merged_steps(engine: Engine, adapters: dict[str, HostAdapter]) -> None:
    """Merged, slotted and bare steps in any order leave the bare base to the bit."""
    (before,) = _draw(engine, _spec())

    for name in ("kohya", "diffusers", "kohya"):
        _draw(engine, _spec((adapters[name], 1.3)), is_merged=True)
        (bare,) = _draw(engine, _spec())
        assert torch.equal(before, bare)


def test_merged_only_adapter_reaches_every_model(engine: Engine) -> None:
    """A change that is not low-rank acts on the UNet and on the text the row says."""
    plain, changed = _draw(engine, _spec())[0], _draw_dense(engine, "unet", "conv_in.bias")
    spoken = _draw_dense(engine, "text_encoder", "text_model.final_layer_norm.weight")

    assert (changed - plain).abs().max() > 1e-3
    assert (spoken - plain).abs().max() > 1e-3
    assert torch.equal(_draw(engine, _spec())[0], plain)


def test_batch_that_steps_again_gathers_once(
    engine: Engine, adapters: dict[str, HostAdapter]
) -> None:
    """What a batch gathered is kept for its next step; another batch gathers its own."""
    specs = [_spec((adapters[name], 1.0)) for name in ("kohya", "diffusers")]
    rows = [row for row in engine.open_rows(specs) if isinstance(row, Row)]
    binding = engine._denoiser.binding

    worn = []
    for batch in (rows, rows[:1], rows):
        engine.step(batch)
        worn.append(next(reversed(binding.kept.values())))

    assert worn[0] is worn[2] and worn[0].gathered
    assert worn[1] is not worn[0]
    assert len(binding.kept) <= KEPT_BATCHES
    for row in rows:
        engine.close_row(row)


@pytest.fixture
def captured(tiny_base: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """An engine whose graphs are traced as on CUDA, and run as they are."""
    compile_ = torch.compile

    def eager(function: Any, **options: Any) -> Any:
        return compile_(function, **{**options, "backend": "eager", "mode": None})

    monkeypatch.setattr(torch, "compile", eager)
    torch._dynamo.reset()
    engine = load_engine(EngineSettings(base=str(tiny_base), dtype="float64"))
    for layer in engine.slots._layers.values():
        make_tables(layer)
    denoiser = engine._denoiser
    denoiser._is_captured, denoiser._run = True, denoiser._capture()
    yield engine
    torch._dynamo.reset()


class _Libraries:
    """Has a library for every kind of pass: the model itself, bound as a library is."""

    def __init__(self, engine: Engine) -> None:
        self._forward, self.shapes = engine._denoiser._forward, list[PassShape]()
        self.layouts = list[int | None]()

    def run(self, worn: Any, latents: Any, timesteps: Any, text: Any, added: Any) -> torch.Tensor:
        told = added or {}
        words = Words(text=text, pooled=told.get("text_embeds"), numbers=told.get("time_ids"))
        return self._forward(worn, latents, timesteps, words)

    def choose(self, shape: PassShape, *, layout: int | None) -> Any:
        self.shapes.append(shape)
        self.layouts.append(layout)
        return self

    def is_unchecked(self, shape: PassShape) -> bool:
        return False

    def note(self, seconds: float, *, shape: PassShape, samples: int, is_compiled: bool) -> None:
        assert seconds > 0 and is_compiled and samples <= shape.samples


@pytest.fixture
def compiled(tiny_base: Path) -> Engine:
    """An engine that runs libraries."""
    engine = load_engine(EngineSettings(base=str(tiny_base), dtype="float64"))
    engine._denoiser._libraries = _Libraries(engine)  # type: ignore[assignment]
    return engine


@pytest.mark.parametrize("rows", [1, 3, 5])
def test_compiled_rows_equal_others(
    compiled: Engine, engine: Engine, adapters: dict[str, HostAdapter], rows: int
) -> None:
    """Batches filled up to a bucket give every row the image it has elsewhere."""
    worn = [(), ((adapters["kohya"], 0.7),), ((adapters["diffusers"], 1.0),)]
    specs = [_spec(*worn[n % 3], seed=n, guidance_scale=5.0 if n % 2 else 1.0) for n in range(rows)]

    for left, right in zip(_draw(compiled, *specs), _draw(engine, *specs), strict=True):
        torch.testing.assert_close(left, right, rtol=TOLERANCE, atol=TOLERANCE)


def test_openvino_rows_equal_others(
    tiny_base: Path,
    tmp_path: Path,
    files: dict[str, Path],
    profile: BaseProfile,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Mixed rows drawn in its graph, and beside it, are the images that the model draws."""

    def run(order: Order, _scratch: Path) -> dict[str, float]:
        build(order)
        return {}

    monkeypatch.setattr(builder, "run_process", run)
    plain = EngineSettings(base=str(tiny_base), dtype="float32")
    compiling = Compiling(root=tmp_path, compiler=OPENVINO)
    eager, other = load_engine(plain), load_engine(replace(plain, compiling=compiling))
    worn = pack_file(files["diffusers"], profile=profile, folder=tmp_path, dtype=torch.float32)
    specs = [_spec(), _spec((worn, 0.7), seed=4), _spec(seed=5, guidance_scale=1)]

    until(lambda: bool(_draw(other, specs[0])) and bool(other.compiled and other.compiled.ready))
    for chosen in (specs, specs[1:2], specs[:1]):
        for left, right in zip(_draw(other, *chosen), _draw(eager, *chosen), strict=True):
            torch.testing.assert_close(left, right, rtol=1e-3, atol=1e-3)
    assert other.compiled is not None and other.compiled.failure == ""
    assert other.compiled.ready + other.compiled.slower == 3


def test_deterministic_rows_run_no_library(
    compiled: Engine, engine: Engine, adapters: dict[str, HostAdapter]
) -> None:
    """Their bytes are those of a server that compiles nothing, whatever is built when."""
    spec = replace(_spec((adapters["kohya"], 0.7)), is_deterministic=True)
    libraries: Any = compiled._denoiser._libraries

    assert torch.equal(_draw(compiled, spec)[0], _draw(engine, spec)[0])
    assert not libraries.shapes
    _draw(compiled, replace(spec, is_deterministic=False))
    assert libraries.shapes


def test_merged_pass_says_its_layout(compiled: Engine, adapters: dict[str, HostAdapter]) -> None:
    """A pass on the copy is a bare one around the copy's tensors."""
    libraries: Any = compiled._denoiser._libraries

    _draw(compiled, _spec((adapters["kohya"], 0.7)), is_merged=True)
    _draw(compiled, _spec())

    assert len(set(libraries.shapes)) == 1 and libraries.shapes[0].rows == 0
    merged, bare = {*libraries.layouts[:3]}, {*libraries.layouts[3:]}
    assert None not in merged and bare == {None}


@pytest.mark.oracle
def test_swaps_never_recompile_the_unet(captured: Engine) -> None:
    """Random swaps of a whole UNet, merged steps among them, run the graphs of the first few."""
    dice = random.Random(2)
    adapters = [_random_lora(captured, seed=n, rank=2 + n) for n in range(12)]

    def swap(*, is_merged: bool) -> None:
        one = dice.choice(adapters)
        worn = [one] * 2 if is_merged else dice.sample(adapters, 2)
        weights = [dice.uniform(-1, 1)] * 2 if is_merged else [dice.uniform(-1, 1) for _ in worn]
        specs = [
            _spec((adapter, weight), seed=seed)
            for seed, (adapter, weight) in enumerate(zip(worn, weights, strict=True))
        ]
        opened = captured.open_rows(specs)
        rows = [row for row in opened if isinstance(row, Row)]
        assert len(rows) == len(specs), opened
        captured.step(rows, is_merged=is_merged)
        for row in rows:
            captured.close_row(row)
        captured.slots.evict_idle()

    for is_merged in (False, True, False, True):
        swap(is_merged=is_merged)
    with torch.compiler.set_stance("fail_on_recompile"):
        for number in range(SWAPS):
            swap(is_merged=number % 5 == 0)

    assert captured.slots.loads > SWAPS // 2


def _random_lora(engine: Engine, *, seed: int, rank: int) -> HostAdapter:
    """Factors for a random half of the UNet's layers."""
    dice, generator = random.Random(seed), torch.Generator().manual_seed(seed)
    layers = {
        ("unet", name): PackedLayer(
            down=0.1
            * torch.randn(
                rank, shape.inputs * shape.kernel[0] * shape.kernel[1], generator=generator
            ),
            up=0.1 * torch.randn(rank, shape.outputs, generator=generator),
        )
        for name, shape in engine.profile.modules["unet"].items()
        if dice.random() < 0.5
    }
    return lay_out(layers, digest=f"sha256:{seed}", dtype=torch.float64)


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


def _draw_dense(engine: Engine, component: str, parameter: str) -> torch.Tensor:
    adapter = _dense(engine, component, parameter)
    return _draw(engine, _spec((adapter, 1.0)), is_merged=True)[0]
