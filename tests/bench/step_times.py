# SPDX-License-Identifier: Apache-2.0
"""What adapters cost a step: bare base, eight adapters, eight times one, one after another, merged.

`blocks`: eight adapters with another weight in every block; `curve`: their weights change at every
step; `window`: half of them are no longer worn.

All variants run the same UNet of full size with random weights, taking turns in one process.
The bare base is diffusers' own module around the same weights, without slots.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import torch
from diffusers import UNet2DConditionModel

from tabard_registry import check
from tabard_server.adapters.host_adapter import HostAdapter, PackedLayer, lay_out
from tabard_server.engine.merged.merged_copy import MergedWeights
from tabard_server.engine.slots.binding import COMPILED_RANK_BUCKETS, RANK_BUCKETS, bind_rows
from tabard_server.engine.slots.fused.choice import fuse_where_it_pays
from tabard_server.engine.slots.slot_table import Slot
from tabard_server.engine.slots.worn_rows import WornRows
from tabard_server.engine_port.weights.blocks import Blocks
from tabard_server.engine_port.weights.strength import BlockWeights
from tests.bench import full_size

ROWS = 8
ROUNDS = 7
SIZES = {"sd15": full_size.SD15, "sdxl": full_size.SDXL}
CPU_LATENT_SIDE = 16
"""128 pixels: a CPU takes its time. A GPU draws what the size was trained for."""

Numbers = dict[str, Any]
Pass = Callable[[], None]


def run(
    *, device: str = "cpu", rounds: int = ROUNDS, is_compiled: bool = False, size: str = "sd15"
) -> Numbers:
    """Measure a forward pass in every variant: medians of the rounds, ratios to the bare base."""
    passes = Passes(torch.device(device), is_compiled=is_compiled, config=SIZES[size])
    seconds = passes.seconds(tuple(passes.variants), rounds=rounds)
    middle = {name: median(times) for name, times in seconds.items()}
    return {
        "device": torch.cuda.get_device_name() if device == "cuda" else "cpu",
        "threads": torch.get_num_threads(),
        "compiled": is_compiled,
        "size": size,
        "rows": ROWS,
        "seconds": seconds,
        "medians": middle,
        "different_to_identical": middle["different"] / middle["identical"],
        "rows_to_bare": middle["different"] / middle["bare"],
        "merged_to_bare": middle["merged"] / middle["bare"],
        "switched_to_same": middle["switched"] / middle["different"],
        "blocks_to_plain": middle["blocks"] / middle["different"],
        "curve_to_plain": middle["curve"] / middle["different"],
        "window_to_plain": middle["window"] / middle["different"],
        "merge_seconds": passes.merge_seconds(rounds),
    }


def report(measured: Numbers) -> None:
    """Print the table."""
    how = "compiled" if measured["compiled"] else "eager"
    where = f"{measured['device']}, {measured['threads']} threads"
    print(f"UNet of {measured['size']}'s size, {ROWS} rows, {how}, {where}")
    for name, one in measured["medians"].items():
        times = measured["seconds"][name]
        spread = f"{min(times) * 1e3:.1f} to {max(times) * 1e3:.1f}"
        print(f"  {name:<12}{one * 1e3:>10.1f} ms   {spread}")
    for name, most in (
        ("different_to_identical", 1.1),
        ("rows_to_bare", 1.1),
        ("merged_to_bare", 1.01),
        ("switched_to_same", 1.01),
        ("blocks_to_plain", 1.02),
        ("curve_to_plain", 1.02),
        ("window_to_plain", 1.02),
    ):
        print(f"  {name:<24}{measured[name]:>6.3f}   promised {most:g}")
    print(f"  a merge takes {measured['merge_seconds'] * 1e3:.1f} ms")


class Passes:
    """The variants, ready to run.

    Attributes:
        variants: By name.
        fused_layers: Layers that wear the fused kernel; none on a CPU.
    """

    def __init__(
        self,
        device: torch.device,
        *,
        is_compiled: bool,
        config: dict[str, Any],
        samples_per_row: int = 1,
        compiler: str = "inductor",
    ) -> None:
        """Make the models and the adapters; rows are `ROWS`, of so many samples each."""
        dtype = torch.float16 if device.type == "cuda" else torch.float32
        self._device, self._dtype, self._is_compiled = device, dtype, is_compiled
        self._compiler = compiler
        bare = full_size.new_unet(dtype=dtype, device=device, config=config)
        bare.to(memory_format=torch.channels_last)
        slotted = full_size.twin_of(bare, config=config)
        self._adapters = _adapters(slotted, dtype=dtype)
        rank_total = full_size.RANK * (2 * ROWS)
        self._slots, self._binding = full_size.slots_of(slotted, rank_total=rank_total)
        self._merged = MergedWeights({"unet": slotted}, device=device, bytes_max=None)
        self._held = self._slots.acquire(self._adapters)
        self._turn, self._samples_per_row = 0, samples_per_row
        samples = ROWS * samples_per_row
        blocks = len(Blocks(name for name, _ in slotted.named_modules()).names)
        self._by_block: BlockWeights = tuple(0.8 + n / 100 for n in range(blocks + 1))
        generator = torch.Generator().manual_seed(1)
        side = config["sample_size"] if device.type == "cuda" else CPU_LATENT_SIDE
        width = config["cross_attention_dim"]
        self._latents = torch.randn(samples, 4, side, side, generator=generator).to(device, dtype)
        self._text = torch.randn(samples, 77, width, generator=generator).to(device, dtype)
        self._added: dict[str, torch.Tensor] | None = None
        if "addition_embed_type" in config:
            pooled = torch.randn(samples, full_size.POOLED_WIDTH, generator=generator)
            self._added = {
                "text_embeds": pooled.to(device, dtype),
                "time_ids": torch.zeros(samples, 6, device=device, dtype=dtype),
            }
        self.fused_layers = self._fuse(slotted, rows=ROWS) if device.type == "cuda" else 0
        self._bare, self._slotted = self._runner(bare), self._runner(slotted)
        self.variants: dict[str, Pass] = {
            "bare": lambda: self._run(self._bare),
            "different": lambda: self._worn(self._held[:ROWS]),
            "identical": lambda: self._worn([self._held[0]] * ROWS),
            "switched": self._switched,
            "blocks": lambda: self._worn(self._held[:ROWS], weights=self._by_block),
            "curve": self._on_a_curve,
            "window": lambda: self._worn(self._held[:ROWS], worn=ROWS // 2),
            "merged": self._on_copy,
        }

    def seconds(self, names: Sequence[str], *, rounds: int) -> dict[str, list[float]]:
        """Time these variants in turns, after a first round that sets things up."""
        found: dict[str, list[float]] = {name: [] for name in names}
        for number in range(rounds + 1):
            for name in names:
                taken = self.time(self.variants[name])
                if number:
                    found[name].append(taken)
        return found

    @torch.inference_mode()
    def time(self, variant: Pass) -> float:
        """Return how long one pass takes, the device's work included."""
        self._wait()
        begun = time.perf_counter()
        variant()
        self._wait()
        return time.perf_counter() - begun

    @torch.inference_mode()
    def merge_seconds(self, rounds: int) -> float:
        """Return how long it takes until the copy wears another stack."""
        return median(
            self.time(lambda n=n: self._merged.merge([(self._adapters[n % ROWS], 0.8)]))  # type: ignore[misc]
            for n in range(1, rounds + 1)
        )

    @torch.inference_mode()
    def _fuse(self, unet: UNet2DConditionModel, *, rows: int) -> int:
        """Let layers wear the fused kernel where it is sooner, as an engine's start does."""
        from tabard_server.engine.slots.fused.kernel import multiply  # noqa: PLC0415 - Triton

        def one_row() -> None:
            samples = slice(0, self._samples_per_row)
            added = self._added and {name: one[samples] for name, one in self._added.items()}
            timestep = torch.full((self._samples_per_row,), 500, device=self._device)
            unet(
                self._latents[samples],
                timestep,
                encoder_hidden_states=self._text[samples],
                added_cond_kwargs=added,
            )

        return fuse_where_it_pays(
            unet, one_row, rows=rows, is_compiled=self._is_compiled, multiply=multiply
        )

    def _runner(self, unet: UNet2DConditionModel) -> Any:
        """Return what runs a UNet, as the server's denoiser does."""

        def forward(worn: WornRows | None, latents: torch.Tensor, timestep: torch.Tensor) -> Any:
            self._binding.worn = worn
            return unet(
                latents,
                timestep,
                encoder_hidden_states=self._text,
                added_cond_kwargs=self._added,
                return_dict=False,
            )

        if not self._is_compiled:
            return forward
        mode = "reduce-overhead" if self._device.type == "cuda" else None
        return torch.compile(
            forward, fullgraph=True, dynamic=False, mode=mode, backend=self._compiler
        )

    def _run(self, runner: Any) -> None:
        timestep = torch.full((len(self._latents),), 500, device=self._device)
        runner(self._binding.worn, self._latents, timestep)

    def _worn(
        self, slots: Sequence[Slot], *, weights: BlockWeights = (0.8,), worn: int = ROWS
    ) -> None:
        bind_rows(
            self._binding,
            stacks=[[(slot, weights)] if n < worn else [] for n, slot in enumerate(slots)],
            samples_per_row=self._samples_per_row,
            may_fuse=True,
            device=self._device,
            dtype=self._dtype,
            is_everywhere=self._is_compiled,
            rank_buckets=COMPILED_RANK_BUCKETS if self._is_compiled else RANK_BUCKETS,
        )
        self._run(self._slotted)
        self._binding.clear()

    def _switched(self) -> None:
        """Every row wears another adapter than it did in the pass before."""
        self._turn += 1
        at = self._turn % ROWS
        self._worn([*self._held[at:], *self._held[:at]][:ROWS])

    def _on_a_curve(self) -> None:
        """Every row wears what it wore, with another weight."""
        self._turn += 1
        self._worn(self._held[:ROWS], weights=(0.8 + self._turn / 1000,))

    def _on_copy(self) -> None:
        self._merged.merge([(self._adapters[0], 0.8)])
        with self._merged.wearing("unet"):
            self._run(self._slotted)

    def _wait(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.synchronize()


def _adapters(unet: UNet2DConditionModel, *, dtype: torch.dtype) -> list[HostAdapter]:
    """Make twice as many adapters as rows, so that rows can change what they wear."""
    profile = full_size.profile_of(unet)
    with tempfile.TemporaryDirectory() as folder:
        path = full_size.write_kohya(Path(folder) / "adapter.safetensors", profile=profile)
        checked = check([path], profile=profile)
        layers = {(layer.component, layer.module): layer.factors.read() for layer in checked.layers}
    return [
        lay_out(
            {
                key: PackedLayer(
                    down=torch.from_numpy(pair.down).flatten(1).roll(number, 1),
                    up=torch.from_numpy(pair.up).T * 0.5,
                )
                for key, pair in layers.items()
            },
            digest=f"sha256:{number}",
            dtype=dtype,
        )
        for number in range(2 * ROWS)
    ]
