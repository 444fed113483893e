# SPDX-License-Identifier: Apache-2.0
"""Measures what passes of this base take on this device, by size, as the engine starts.

In: a base on its device. Out: a curve for each kind of pass. Convolutions grow with the pixels and
are timed at two small sizes; attention grows with their square, disappears in small passes, and is
timed by itself. So a large size is known without being tried.
"""

import time
from collections.abc import Callable
from contextlib import nullcontext
from functools import cache, partial
from typing import Any

import torch
from torch.nn import functional

from tabard_server.engine.base.loading import Base
from tabard_server.engine.base.resident.text_shelf import TextShelf
from tabard_server.engine.measures.dry_run import DryRun, DryRuns
from tabard_server.engine.measures.memory_plan import tiling_of
from tabard_server.engine.measures.passes import Pass, decoding, denoising, encoding, text_windows
from tabard_server.engine_port.memory import PassBytes
from tabard_server.engine_port.work import GUIDED_SAMPLES, Curve, Estimate, Work

PASS_SECONDS_MAX = 0.15
"""A larger size is timed only if it likely takes no longer than this."""
SIDE_MIN = 8
"""Latents along one side: smaller pictures do not fit through every network."""
_MORE_SIDES = 2
"""How many times the base's own side is tried at most."""
_REPEATS = 2
_ATTENTION_SECONDS_MIN = 0.02
_KEYS_MAX = 4096

_NewPass = Callable[..., Pass]


@torch.inference_mode()
def measure_work(
    base: Base, *, walked: DryRuns, device: torch.device, shelf: TextShelf | None = None
) -> Work:
    """Time a few small passes of a base that lies on a device, or has its texts on a shelf."""
    texts = text_windows(base, device=device)
    # Both ways of the VAE have one kind of attention.
    product = cache(partial(_product_seconds, device=device))
    make = partial(_estimate, base=base, product_seconds=product, device=device)
    native = base.native_pixels
    return Work(
        native=(native, native),
        step=make(denoising, walked=walked.step),
        decoding=make(decoding, walked=walked.decoding),
        encoding=make(encoding, walked=walked.encoding),
        text_window_seconds=sum(
            _shortest_of_text(text, part.component, device=device, shelf=shelf)
            for text, part in zip(texts, base.text_parts, strict=True)
        ),
    )


def _shortest_of_text(
    text: Pass, component: str, *, device: torch.device, shelf: TextShelf | None
) -> float:
    with nullcontext() if shelf is None else shelf.taken(component):
        return _shortest(text.run, device=device)


@torch.inference_mode()
def measure_passes(base: Base, *, device: torch.device) -> PassBytes:
    """Return what passes of the base's own size really take of a CUDA device, in place of a plan.

    A CPU cannot be asked that: its allocator does not say.
    """
    pixels = base.native_pixels**2
    make: dict[str, Any] = {"side": base.native_pixels // base.latent_factor, "device": device}
    step = denoising(base, dtype=dtype_of(base), samples=GUIDED_SAMPLES, **make)
    image = decoding(base, dtype=base.vae.dtype, **make)
    picture = encoding(base, dtype=base.vae.dtype, **make)
    taken = max(_bytes(image, device=device), _bytes(picture, device=device))
    return PassBytes(
        step=Curve(linear=_bytes(step, device=device) / (GUIDED_SAMPLES * pixels)),
        image=Curve(linear=taken / pixels),
        tiling=tiling_of(base, itemsize=base.vae.dtype.itemsize),
    )


def dtype_of(base: Base) -> torch.dtype:
    """Return what it is computed in: a network may be kept in other numbers, a CLIP never is."""
    found: torch.dtype = next(part.model.dtype for part in base.text_parts if not part.is_t5)
    return found


def _bytes(call: Pass, *, device: torch.device) -> int:
    """Return the most that a second call takes: the first may have had to set things up."""
    call.run()
    torch.cuda.synchronize(device)
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    call.run()
    torch.cuda.synchronize(device)
    return torch.cuda.max_memory_allocated(device) - before


def _estimate(
    new_pass: _NewPass,
    *,
    base: Base,
    walked: DryRun,
    product_seconds: Callable[[int, int, torch.dtype], float],
    device: torch.device,
) -> Estimate:
    dtype = dtype_of(base) if new_pass is denoising else base.vae.dtype
    make = partial(new_pass, base, device=device, dtype=dtype)
    calls = walked.self_attentions
    like = max(calls, key=lambda call: call.products, default=None)
    each = 0.0 if like is None else product_seconds(like.heads, like.width, dtype)
    quadratic = each * sum(call.products for call in calls) / base.native_pixels**4
    side = max(SIDE_MIN, base.native_pixels // base.latent_factor // 8)
    timed: list[tuple[int, float]] = []
    while True:
        pixels = (side * base.latent_factor) ** 2
        seconds = _shortest(make(side=side).run, device=device)
        timed.append((pixels, seconds - quadratic * pixels**2))
        side *= 2
        is_large = side * base.latent_factor > _MORE_SIDES * base.native_pixels
        if len(timed) > 1 and (is_large or 4 * seconds > PASS_SECONDS_MAX):
            return Estimate(curve=_through(*timed[-2:], quadratic=quadratic))


def _through(smaller: tuple[int, float], larger: tuple[int, float], *, quadratic: float) -> Curve:
    """Return the curve through two passes of one sample, their attention taken off."""
    (few, short), (many, long) = smaller, larger
    slope = max(0.0, (long - short) / (many - few))
    # A line cannot begin below nothing: passes so small are all overhead.
    fixed = min(max(0.0, short - slope * few), max(0.0, long))
    return Curve(fixed=fixed, linear=max(0.0, long - fixed) / many, quadratic=quadratic)


def _product_seconds(heads: int, width: int, dtype: torch.dtype, *, device: torch.device) -> float:
    """Time attention of so many heads, over more positions until it can be seen."""
    length = 256
    while True:
        parts = torch.randn(3, 1, heads, length, width, device=device, dtype=dtype)
        attend = partial(functional.scaled_dot_product_attention, *parts)
        seconds = _shortest(attend, device=device)
        if seconds >= _ATTENTION_SECONDS_MIN or length >= _KEYS_MAX:
            return seconds / (heads * length**2 * width)
        length *= 2


def _shortest(call: Callable[[], object], *, device: torch.device) -> float:
    """Return the shortest of a few times, after a first that may have to set things up."""
    _time(call, device=device)
    times = [_time(call, device=device)]
    while len(times) < _REPEATS and times[0] < PASS_SECONDS_MAX:
        times.append(_time(call, device=device))
    return min(times)


def _time(call: Callable[[], object], *, device: torch.device) -> float:
    _wait(device)
    begun_at = time.perf_counter()
    call()
    _wait(device)
    return time.perf_counter() - begun_at


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
