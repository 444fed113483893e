# SPDX-License-Identifier: Apache-2.0
"""A few small passes say what any size takes: fitted on a device whose times are known."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from tabard_server.admission.bounds.sizes import Asked, Sizes
from tabard_server.engine.base.loading import Base, load_base
from tabard_server.engine.load_engine import EngineSettings, load_engine
from tabard_server.engine.measures import calibration
from tabard_server.engine.measures.calibration import PASS_SECONDS_MAX, measure_passes, measure_work
from tabard_server.engine.measures.dry_run import walk_through
from tabard_server.engine_port.work import Curve
from tabard_server.limits import Limits
from tests.server.drawings import row_spec

CPU = torch.device("cpu")


class Device:
    """A device on which a call takes as long as its inputs say, and nothing else does."""

    def __init__(self, *, slowness: float) -> None:
        self.now = 0.0
        self.slowness = slowness
        self.longest = 0.0

    def unet_seconds(self, side: int, samples: int = 1) -> float:
        """Overhead, convolutions, and attention of the one layer that has it."""
        return self.slowness * (0.004 + samples * (side**2 * 1e-5 + side**4 * 1e-8))

    def take(self, seconds: float) -> None:
        self.now += seconds
        self.longest = max(self.longest, seconds)


@pytest.fixture(scope="module")
def base(tiny_base: Path) -> Base:
    return load_base(str(tiny_base))


@pytest.fixture(params=[1.0, 0.01, 200.0], ids=["usual", "fast", "slow"])
def device(request: Any, base: Base, monkeypatch: pytest.MonkeyPatch) -> Iterator[Device]:
    """The device, and the base on it: its UNet and attention take known times."""
    found = Device(slowness=request.param)
    products = sum(one.products for one in walk_through(base).step.self_attentions)

    def timed(call: Callable[..., Any], *, device: torch.device) -> float:
        del device
        if (parts := getattr(call, "args", ())) and len(parts) == 3:
            *_, heads, length, width = parts[0].shape
            seconds = found.slowness * 1e-8 * _side(base) ** 4
            seconds *= heads * length**2 * width / products
        else:
            sample = call.__self__.inputs.get("sample")  # type: ignore[attr-defined]
            side = sample.shape[-1] if sample is not None and sample.shape[1] == 4 else 1
            seconds = found.unet_seconds(side)
        found.take(seconds)
        return seconds

    monkeypatch.setattr(calibration, "_time", timed)
    yield found


def _side(base: Base) -> int:
    return base.native_pixels // base.latent_factor


@pytest.mark.parametrize(("side", "samples"), [(16, 1), (16, 16), (128, 2), (4096, 2)])
def test_large_sizes_are_known_untried(device: Device, base: Base, side: int, samples: int) -> None:
    """From the own size to one that would take hours, whatever the speed of the device."""
    work = measure_work(base, walked=walk_through(base), device=CPU)

    pixels = side * base.latent_factor
    expected = device.unet_seconds(side, samples)
    assert work.step.seconds((pixels, pixels), samples=samples) == pytest.approx(expected, rel=0.05)


def test_no_long_pass_is_made(device: Device, base: Base) -> None:
    """Beyond two sizes, which every base must bear, nothing is tried that takes long."""
    measure_work(base, walked=walk_through(base), device=CPU)

    smallest = device.unet_seconds(16)
    assert device.longest <= max(PASS_SECONDS_MAX, 4 * smallest)


def test_engine_knows_its_work(tiny_base: Path) -> None:
    """An engine that was loaded says what calls take, and measures its own steps by it."""
    engine = load_engine(EngineSettings(base=str(tiny_base)))
    size = engine.work.native

    before = engine.work
    assert before.step.seconds(size, samples=2) > 0
    assert before.step.seconds((4096, 4096)) > before.step.seconds(size)
    assert before.decoding.seconds(size) > 0 and before.encoding.seconds(size) > 0
    assert before.text_window_seconds > 0
    assert not before.step.paces
    (row,) = engine.open_rows([row_spec(width=size[0], height=size[1], steps=4)])
    for _ in range(4):
        engine.step([row])  # type: ignore[list-item]
    assert list(engine.work.step.paces) == [size[0] * size[1]]
    assert engine.costs().work == engine.work


def test_demo_base_is_bounded() -> None:
    """What held a server up for minutes is refused with the costs that its engine measured."""
    engine = load_engine(EngineSettings(base="demo"))
    # As a multiple of the own size's, for this machine may have any number of cores.
    most = 16 * engine.work.longest_call((64, 64), samples=2, has_picture=False)
    limits = Limits(step_seconds_max=most)
    sizes = Sizes(facts=engine.facts, limits=limits, work=lambda: engine.work, plan=engine.plan)

    reasons = {
        size: [one.reason for one in sizes.check(size, Asked())]
        for size in ((64, 64), (128, 128), (512, 512), (16, 65_536))
    }

    assert reasons[64, 64] == reasons[128, 128] == []
    assert reasons[512, 512] == ["SIZE_TOO_SLOW"]
    assert reasons[16, 65_536] == ["SIDE_TOO_LONG"]


def test_noise_never_goes_below_nothing() -> None:
    """Times that shrink with size, as noise makes them, give a curve that does not."""
    for first, second in itertools.permutations((0.001, 0.5), 2):
        curve = calibration._through((64, first), (256, second), quadratic=0.0)
        values = [curve.at((side, side)) for side in (1, 8, 16, 64)]
        assert values == sorted(values) and values[0] >= 0
        assert curve.at((16, 16)) == pytest.approx(second)


def test_device_says_what_passes_take(base: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    """On CUDA the peak of a real pass of the own size replaces what was planned for it."""
    pixels, allocated = base.native_pixels**2, 1_000
    peaks = iter([allocated + 7 * pixels, allocated + 9 * pixels, allocated + 6 * pixels])
    monkeypatch.setattr(torch.cuda, "synchronize", lambda _device: None)
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda _device: None)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda _device: allocated)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda _device: next(peaks))

    found = measure_passes(base, device=CPU)

    # In the order in which they are made: decoding, encoding, a step of two samples.
    assert found.image == Curve(linear=pytest.approx(9.0))
    assert found.step == Curve(linear=pytest.approx(3.0))
