# SPDX-License-Identifier: Apache-2.0
from typing import Any

import numpy as np
import pytest
import torch

from tabard_server.adapters.host_adapter import HostAdapter, lay_out
from tabard_server.engine.engine import Engine
from tabard_server.engine.row import Row
from tabard_server.engine_port.errors import RowNotFinite
from tabard_server.engine_port.row_spec import RowSpec
from tabard_server.engine_port.samplers import SAMPLERS
from tests.server.drawings import row_spec
from tests.server.engine.random_rows import random_batch
from tests.server.engine.tiny_base import Studio, draw, open_studio, skip_if_absent

TOLERANCE = 1e-9


def _spec(stack: tuple[tuple[HostAdapter, float], ...] = (), **changes: Any) -> RowSpec:
    values = {"prompt": "a red <plum> circle", "negative_prompt": "blue", "steps": 6}
    return row_spec(stack=stack, **values | changes)


def _open(engine: Engine, specs: list[RowSpec]) -> list[Row]:
    rows = engine.open_rows(specs)
    assert all(isinstance(row, Row) for row in rows), rows
    return [row for row in rows if isinstance(row, Row)]


def _latents(engine: Engine, specs: list[RowSpec]) -> list[torch.Tensor]:
    """Run rows together to their ends; each leaves when it is done."""
    rows = _open(engine, specs)
    while pending := [row for row in rows if not row.is_done]:
        engine.step(pending)
    for row in rows:
        engine.close_row(row)
    return [row.latents for row in rows]


def _mixed_specs(adapters: dict[str, HostAdapter]) -> list[RowSpec]:
    diffusers, kohya, plum = adapters["diffusers"], adapters["kohya"], adapters["plum"]
    return [
        _spec(seed=1),
        _spec(((diffusers, 1.0),), seed=2, steps=4),
        _spec(((kohya, 0.7),), seed=3, sampler="euler_a"),
        _spec(((diffusers, 0.5), (kohya, 0.8)), seed=4, guidance_scale=1.0),
        _spec(((plum, 1.0),), seed=5, prompt="a <plum> star", steps=9),
        _spec(((kohya, 1.0), (plum, 1.0)), seed=6, sampler="dpmpp_2m"),
        _spec(((diffusers, -0.5),), seed=7, guidance_scale=7.5, negative_prompt=""),
    ]


def test_mixed_batch_equals_lone_rows(engine: Engine, adapters: dict[str, HostAdapter]) -> None:
    """Rows of different adapters, weights, prompts and samplers do not touch each other."""
    specs = _mixed_specs(adapters)

    together = _latents(engine, specs)

    alone = [_latents(engine, [spec])[0] for spec in specs]
    for mixed, lone in zip(together, alone, strict=True):
        torch.testing.assert_close(mixed, lone, rtol=TOLERANCE, atol=TOLERANCE)


def test_every_adapter_changes_picture(engine: Engine, adapters: dict[str, HostAdapter]) -> None:
    """The comparison above means something: each stack moves the latents by far more."""
    stacks = [(), *[((adapter, 1.0),) for adapter in adapters.values()]]
    stacks.append(((adapters["diffusers"], 0.5), (adapters["kohya"], 0.8)))

    results = [_latents(engine, [_spec(stack)])[0] for stack in stacks]

    for number, left in enumerate(results):
        for right in results[number + 1 :]:
            assert (left - right).abs().max() > 0.05


def test_joining_rows_leave_others_alone(engine: Engine, adapters: dict[str, HostAdapter]) -> None:
    """A row that joins at step 3 and one that is closed at step 4 change nothing for the rest."""
    first, second = _spec(((adapters["kohya"], 1.0),)), _spec(((adapters["diffusers"], 1.0),))
    expected = _latents(engine, [first])[0]

    (row,) = _open(engine, [first])
    for _ in range(3):
        engine.step([row])
    (other,) = _open(engine, [second])
    engine.step([row, other])
    engine.close_row(other)
    while not row.is_done:
        engine.step([row])
    engine.close_row(row)

    torch.testing.assert_close(row.latents, expected, rtol=TOLERANCE, atol=TOLERANCE)


@pytest.mark.oracle
@pytest.mark.parametrize("sampler", sorted(SAMPLERS))
def test_every_sampler_batches(
    engine: Engine, adapters: dict[str, HostAdapter], sampler: str
) -> None:
    """Two rows of one sampler at different steps share passes and equal the lone runs."""
    skip_if_absent(sampler)
    specs = [
        _spec(((adapters["kohya"], 1.0),), sampler=sampler, steps=5),
        _spec(((adapters["diffusers"], 1.0),), sampler=sampler, steps=7, seed=12),
    ]

    together = _latents(engine, specs)

    for mixed, spec in zip(together, specs, strict=True):
        lone = _latents(engine, [spec])[0]
        torch.testing.assert_close(mixed, lone, rtol=TOLERANCE, atol=TOLERANCE)


def test_base_is_never_written(engine: Engine, adapters: dict[str, HostAdapter]) -> None:
    """Base output is byte-identical before and after any history of swaps."""
    before = _latents(engine, [_spec()])[0]

    for _ in range(3):
        for adapter in adapters.values():
            _latents(engine, [_spec(((adapter, 1.0),), steps=2)])
        engine.slots.evict_idle()

    assert torch.equal(before, _latents(engine, [_spec()])[0])


def test_switching_back_reproduces(engine: Engine, adapters: dict[str, HostAdapter]) -> None:
    """A to B to A gives A's picture to the bit."""
    a, b = _spec(((adapters["kohya"], 1.0),)), _spec(((adapters["diffusers"], 1.0),))
    before = _latents(engine, [a])[0]

    engine.slots.evict_idle()
    _latents(engine, [b])

    assert torch.equal(before, _latents(engine, [a])[0])


def test_nan_adapter_harms_only_itself(engine: Engine, adapters: dict[str, HostAdapter]) -> None:
    """A NaN in one row's adapter fails that row with a reason; its neighbour is unharmed."""
    good = _spec(((adapters["diffusers"], 1.0),))
    expected = _latents(engine, [good])[0]
    poisoned = _poison(adapters["kohya"])

    rows = _open(engine, [good, _spec(((poisoned, 1.0),))])
    while pending := [row for row in rows if not row.is_done]:
        engine.step(pending)
    for row in rows:
        engine.close_row(row)

    assert engine.decode(rows[0]).pixels().any()
    with pytest.raises(RowNotFinite):
        engine.decode(rows[1]).pixels()
    torch.testing.assert_close(rows[0].latents, expected, rtol=TOLERANCE, atol=TOLERANCE)
    engine.slots.evict_idle()
    torch.testing.assert_close(_latents(engine, [good])[0], expected, rtol=0, atol=0)


def test_decoded_pixels_are_uint8(engine: Engine) -> None:
    """A done row decodes to an image of its size; a preview is at latent resolution."""
    (row,) = _open(engine, [_spec(width=64, height=32, steps=2)])
    while not row.is_done:
        engine.step([row])

    image, preview = engine.decode(row).pixels(), engine.preview(row).pixels()
    engine.close_row(row)

    assert image.shape == (32, 64, 3)
    assert image.dtype == np.uint8
    assert preview.shape == (8, 16, 3)


def _poison(adapter: HostAdapter) -> HostAdapter:
    layers = dict(adapter.layers)
    key = next(key for key in layers if key[0] == "unet")
    packed = layers[key]
    layers[key] = type(packed)(down=packed.down * float("nan"), up=packed.up)
    return lay_out(layers, digest="sha256:" + "0" * 64, dtype=packed.down.dtype)


SIZES = ((16, 16), (32, 16), (32, 32), (16, 48))


BATCHES_FAST = 10


BATCHES = 200


BATCHES_A_TEST = 20


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Studio:
    return open_studio(tmp_path_factory.mktemp("sd1"), family="sd1")


def _check(studio: Studio, seed: int) -> None:
    specs = random_batch(studio, seed=seed, size=SIZES[seed % len(SIZES)])

    together = draw(studio.engine, specs)

    for number, (spec, mixed) in enumerate(zip(specs, together, strict=True)):
        (lone,) = draw(studio.engine, [spec])
        bound = TOLERANCE * max(1.0, float(lone.abs().max()))
        said = f"row {number} of batch {seed}: {_told(spec)}"
        assert float((mixed - lone).abs().max()) <= bound, said


def _told(spec: RowSpec) -> str:
    kinds = [adapter.digest[:15] for adapter, _ in spec.stack]
    drawing = spec.drawing
    return f"{drawing.sampler}, {drawing.steps} steps, {drawing.prompt!r}, stack {kinds}"


def test_random_batches_equal_lone_rows(studio: Studio) -> None:
    """Stacks, samplers, guidance, windows and pictures of neighbours do not touch a row."""
    for seed in range(BATCHES_FAST):
        _check(studio, seed)


@pytest.mark.oracle
@pytest.mark.parametrize("first", range(BATCHES_FAST, BATCHES, BATCHES_A_TEST))
def test_many_random_batches_equal_lone_rows(studio: Studio, first: int) -> None:
    """The same, two hundred times in all."""
    for seed in range(first, min(first + BATCHES_A_TEST, BATCHES)):
        _check(studio, seed)


def test_random_rows_differ(studio: Studio) -> None:
    """The comparison means something: rows of one batch are different pictures."""
    specs = random_batch(studio, seed=1, size=(16, 16))

    pictures = draw(studio.engine, specs)

    for number, left in enumerate(pictures):
        for right in pictures[number + 1 :]:
            assert not torch.allclose(left, right, rtol=0, atol=0.01)
