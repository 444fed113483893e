# SPDX-License-Identifier: Apache-2.0
"""The engine on a CUDA device: the same promises as on the CPU. Run with `make gpu-check`."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from tabard_server.engine.engine import Engine
from tabard_server.engine.load_engine import EngineSettings, load_engine
from tabard_server.engine.row import Row
from tabard_server.engine_port.row_spec import RowSpec
from tests.bases import make_tiny_base, write_diffusers_lora, write_kohya_lora
from tests.oracle import Oracle, Worn, largest_difference
from tests.server.adapters.packing import pack_file
from tests.server.drawings import row_spec
from tests.writers import write_peft_lora

pytestmark = pytest.mark.gpu

STEPS = 8


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_base(tmp_path_factory.mktemp("base") / "tiny")


@pytest.fixture(scope="module")
def files(base: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    folder = tmp_path_factory.mktemp("files")
    first = write_diffusers_lora(base, folder / "one.safetensors", seed=1, text_targets=("q_proj",))
    second = write_kohya_lora(base, folder / "two.safetensors", seed=2)
    scaled = write_peft_lora(base, folder / "three.safetensors", seed=3, text_targets=())
    return first, second, scaled


@pytest.fixture(scope="module")
def engine(base: Path) -> Engine:
    return load_engine(EngineSettings(base=str(base), device="cuda", dtype="float32"))


def _spec(engine: Engine, file: Path, *, folder: Path, seed: int) -> RowSpec:
    adapter = pack_file(file, profile=engine.profile, folder=folder, dtype=torch.float32)
    return row_spec(stack=((adapter, 0.8),), seed=seed, steps=STEPS)


def _run(engine: Engine, specs: list[RowSpec]) -> list[Row]:
    rows = [row for row in engine.open_rows(specs) if isinstance(row, Row)]
    assert len(rows) == len(specs)
    while pending := [row for row in rows if not row.is_done]:
        engine.step(pending)
    return rows


def test_mixed_batch_equals_diffusers_on_cpu(
    engine: Engine, base: Path, files: tuple[Path, ...], tmp_path: Path
) -> None:
    """Seeds are drawn on the CPU on every device, so a GPU draws what the CPU oracle draws."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    specs = [_spec(engine, file, folder=tmp_path, seed=3 + n) for n, file in enumerate(files)]

    rows = _run(engine, specs)

    oracle = Oracle(base)
    for row, file in zip(rows, files, strict=True):
        options = {"seed": row.spec.seed, "steps": STEPS, "sampler": "ddim"}
        expected = oracle.draw("a red circle", worn=[Worn(file=file, weight=0.8)], **options)
        assert largest_difference(engine.decode(row).pixels(), expected) <= 1
        engine.close_row(row)


def test_steps_wait_for_no_device_value(
    engine: Engine, files: tuple[Path, ...], tmp_path: Path
) -> None:
    """Between the first step and the last, the host reads nothing back from the device."""
    rows = [
        row
        for row in engine.open_rows([_spec(engine, files[0], folder=tmp_path, seed=1)])
        if isinstance(row, Row)
    ]
    engine.step(rows)

    torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(STEPS - 2):
            engine.step(rows)
    finally:
        torch.cuda.set_sync_debug_mode("default")

    assert rows[0].steps_done == STEPS - 1
    engine.close_row(rows[0])


def test_swaps_leave_device_memory_flat(
    engine: Engine, files: tuple[Path, ...], tmp_path: Path
) -> None:
    """A hundred swaps allocate nothing that stays."""
    specs = [_spec(engine, file, folder=tmp_path, seed=1) for file in files]
    for spec in specs:
        for row in _run(engine, [spec]):
            engine.close_row(row)
    before = torch.cuda.memory_allocated()

    for number in range(100):
        engine.slots.evict_idle()
        with engine.slots.held([specs[number % len(specs)].stack[0][0]]):
            pass

    assert torch.cuda.memory_allocated() <= before


def test_plan_is_near_what_a_step_takes(engine: Engine) -> None:
    """The plan holds measured bytes: a full batch takes at most half as much again."""
    assert engine.plan is not None
    rows = [row for row in engine.open_rows([row_spec()] * engine.plan.rows_per_step)]
    opened = [row for row in rows if isinstance(row, Row)]
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()

    engine.step(opened)

    torch.cuda.synchronize()
    taken = torch.cuda.max_memory_allocated() - before
    assert taken / 1.5 <= engine.plan.activations_of((64, 64), samples=2 * len(opened))
    for row in opened:
        engine.close_row(row)


def test_weights_are_hashed_beside_steps(
    engine: Engine, files: tuple[Path, ...], tmp_path: Path
) -> None:
    """Another thread reads them over its own stream: same latents, same fingerprints."""
    spec = _spec(engine, files[0], folder=tmp_path, seed=3)
    alone = _run(engine, [spec])[0].latents.cpu()

    with ThreadPoolExecutor(max_workers=1) as other:
        hashing = other.submit(engine.hash_weights, between=lambda: None)
        beside = _run(engine, [spec])[0].latents.cpu()
        found = hashing.result()

    assert found == engine.loaded_fingerprints
    assert torch.equal(alone, beside)
