# SPDX-License-Identifier: Apache-2.0
"""A forward pass of eight guided rows: bare, each row another adapter, merged; eager or compiled.

In: sizes, a UNet's name. Out, told as it comes: seconds, ratios, and which share of the device's
arithmetic is used: of what its data sheet says for dense bfloat16, and of one large product here.
"""

import time
from statistics import median
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from tests.bench import full_size, step_times
from tests.gpu.measure.sizes import Sizes
from tests.gpu.parts import Tell

GUIDED = 2
VARIANTS = ("bare", "different", "merged")
_PEAKS = {"H200": 989e12, "H100": 989e12, "A100": 312e12, "L40S": 362e12}
"""Dense bfloat16 of data sheets, operations a second, by a part of the device's name."""
_PRODUCT_SIDE = {"cuda": 8192, "cpu": 256}
_REPEATS = 5


def measure_steps(sizes: Sizes, unet: str, is_compiled: bool, tell: Tell) -> None:
    """Time the variants one after the other ready, then all in turns."""
    device = torch.device(sizes.device)
    passes = step_times.Passes(
        device,
        is_compiled=is_compiled,
        config=sizes.unets[unet],
        samples_per_row=GUIDED,
        compiler=sizes.compiler,
    )
    tell({"samples": GUIDED * step_times.ROWS, "fused_layers": passes.fused_layers})
    ready: list[str] = []
    for name in VARIANTS:
        begun = time.perf_counter()
        passes.seconds((name,), rounds=1)
        tell({f"{name}_first_seconds": time.perf_counter() - begun})
        ready.append(name)
        # What is known when the time is over is better than nothing.
        tell(_said(passes.seconds(ready, rounds=sizes.rounds)))
    tell(_arithmetic(sizes, unet, passes.seconds(("bare",), rounds=sizes.rounds)["bare"]))


def _said(seconds: dict[str, list[float]]) -> dict[str, Any]:
    """Give medians in milliseconds, and the median of the ratios of each round."""
    said: dict[str, Any] = {f"{name}_ms": 1e3 * median(one) for name, one in seconds.items()}
    for name, one in seconds.items():
        pairs = zip(one, seconds["bare"], strict=True)
        said[f"{name}_to_bare"] = median(ours / bare for ours, bare in pairs)
    return said


def _arithmetic(sizes: Sizes, unet: str, seconds: list[float]) -> dict[str, Any]:
    operations = GUIDED * step_times.ROWS * forward_operations(sizes.unets[unet], sizes)
    rate = operations / median(seconds)
    product = _product_rate(sizes.device)
    found = {
        "operations": operations,
        "operations_a_second": rate,
        "product_operations_a_second": product,
        "share_of_product": rate / product,
    }
    name = torch.cuda.get_device_name(0) if sizes.device == "cuda" else ""
    peak = next((peak for part, peak in _PEAKS.items() if part in name), None)
    return found if peak is None else {**found, "share_of_peak": rate / peak}


def forward_operations(config: dict[str, Any], sizes: Sizes) -> int:
    """Count the arithmetic of one sample at the size that is measured, without doing it."""
    side = config["sample_size"] if sizes.device == "cuda" else step_times.CPU_LATENT_SIDE
    added = None
    with torch.device("meta"):
        unet = full_size.UNet2DConditionModel(**config)
        if "addition_embed_type" in config:
            pooled = torch.zeros(1, full_size.POOLED_WIDTH)
            added = {"text_embeds": pooled, "time_ids": torch.zeros(1, 6)}
        latents = torch.zeros(1, 4, side, side)
        text = torch.zeros(1, 77, config["cross_attention_dim"])
        timestep = torch.zeros(1)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        unet(latents, timestep, encoder_hidden_states=text, added_cond_kwargs=added)
    return int(counter.get_total_flops())


def _product_rate(device: str) -> float:
    """Return operations a second of a large product in bfloat16 on random numbers."""
    side = _PRODUCT_SIDE[device]
    left, right = torch.randn(2, side, side, device=device, dtype=torch.bfloat16)
    seconds = []
    for number in range(_REPEATS + 1):
        begun = time.perf_counter()
        torch.mm(left, right)
        if device == "cuda":
            torch.cuda.synchronize()
        if number:
            seconds.append(time.perf_counter() - begun)
    return float(2 * side**3 / min(seconds))
