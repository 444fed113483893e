# SPDX-License-Identifier: Apache-2.0
"""What a denoise step takes of a processor: packed weights beside plain ones, adapters beside none.

A UNet of SD1.5's topology with a quarter of its weights, 128 pixels, float32, one thread. All
variants take turns around the same weights; the processor time of the thread is told, and ratios
are medians of those of each turn.
"""

import statistics
import time
from collections.abc import Callable, Sequence

import torch

from tabard_registry import BaseProfile
from tabard_server.adapters.host_adapter import HostAdapter, PackedLayer, lay_out
from tabard_server.engine.merged.merged_copy import MergedWeights
from tabard_server.engine.slots.binding import SlotStack, bind_rows
from tabard_server.engine.slots.packed_weights import PackedWeights
from tests.bench import full_size

CPU = torch.device("cpu")
SIDE = 16
"""Latents: 128 pixels."""
FEW, MANY = 2, 8
"""Samples of a pass."""
STACKED = 8
RANK, LARGE_RANK = 16, 64
PROMISED = {
    f"{FEW}: packed to plain, bare": 0.85,
    f"{FEW}: packed to plain, merged": 0.85,
    f"{MANY}: eight different, rank {RANK}": 1.08,
    f"{MANY}: rank {LARGE_RANK}": 1.25,
    f"{MANY}: {STACKED} stacked, rank {RANK}, the same": 1.4,
    f"{MANY}: {STACKED} stacked, rank {RANK}, each its own": 1.4,
}

Seconds = dict[str, list[float]]


def run(*, rounds: int) -> dict[str, Seconds]:
    """Return the processor seconds of each pass, by samples and variant."""
    unets = _Unets()
    measured: dict[str, Seconds] = {}
    for samples in (FEW, MANY):
        variants = unets.variants(samples)
        found = measured[str(samples)] = {name: [] for name in variants}
        for number in range(-1, rounds):
            for name, variant in variants.items():
                seconds = _seconds(variant)
                if number >= 0:  # the first round packs and tries
                    found[name].append(seconds)
    return measured


def report(measured: dict[str, Seconds]) -> None:
    """Print medians, and ratios beside what was promised."""
    print(f"\n{'processor seconds of a pass':44}" + "".join(f"{n:>10}" for n in measured))
    for name in measured[str(FEW)]:
        middle = (statistics.median(seconds[name]) for seconds in measured.values())
        print(f"{name:44}" + "".join(f"{one:>10.3f}" for one in middle))
    print(f"\n{'samples: ratio':44}{'found':>10}   promised")
    for name, ratio in _ratios(measured).items():
        print(f"{name:44}{ratio:>10.3f}   {PROMISED.get(name, '')}")


class _Unets:
    """Two UNets around the same weights, with slots: one calls plainly, one packs."""

    def __init__(self) -> None:
        config = full_size.HALF_SD15
        plain = full_size.new_unet(dtype=torch.float32, device=CPU, config=config)
        plain.to(memory_format=torch.channels_last)
        packing = full_size.twin_of(plain, config=config)
        profile = full_size.profile_of(plain)
        small = [_adapter(profile, rank=RANK, seed=n) for n in range(STACKED)]
        large = [_adapter(profile, rank=LARGE_RANK, seed=n) for n in range(2)]
        full_size.slots_of(plain, rank_total=1)
        slots, self._binding = full_size.slots_of(
            packing,
            rank_total=STACKED * RANK + 2 * LARGE_RANK,
            packed=PackedWeights(bytes_max=None),
        )
        self._unets = {"plain": plain, "packed": packing}
        self._merged = {
            name: MergedWeights({"unet": unet}, device=CPU, bytes_max=None)
            for name, unet in self._unets.items()
        }
        for copy in self._merged.values():
            copy.merge([(small[0], 0.8)])
        self._small, self._large = slots.acquire(small), slots.acquire(large)
        self._text_width = config["cross_attention_dim"]

    def variants(self, samples: int) -> dict[str, Callable[[], None]]:
        """Return what to time; rows wear one adapter each, or a stack."""
        one = [[(self._small[n % STACKED], (0.8,))] for n in range(samples)]
        large = [[(self._large[n % 2], (0.8,))] for n in range(samples)]
        # Each in another order and at another weight: no two rows are alike.
        turned = [[*self._small[n:], *self._small[:n]] for n in range(samples)]
        stacked = [[(slot, (0.1 + n / 10,)) for slot in row] for n, row in enumerate(turned)]
        generator = torch.Generator().manual_seed(1)
        inputs = {
            "sample": torch.randn(samples, 4, SIDE, SIDE, generator=generator),
            "timestep": torch.full((samples,), 500),
            "encoder_hidden_states": torch.randn(
                samples, 77, self._text_width, generator=generator
            ),
        }

        def bare(name: str) -> None:
            self._unets[name](**inputs)

        def merged(name: str) -> None:
            with self._merged[name].wearing("unet"):
                self._unets[name](**inputs)

        def worn(stacks: Sequence[SlotStack]) -> None:
            bind_rows(
                self._binding, stacks=stacks, samples_per_row=1, device=CPU, dtype=torch.float32
            )
            self._unets["packed"](**inputs)
            self._binding.clear()

        return {
            "bare, plain": lambda: bare("plain"),
            "bare, packed": lambda: bare("packed"),
            "merged, plain": lambda: merged("plain"),
            "merged, packed": lambda: merged("packed"),
            f"each another adapter, rank {RANK}": lambda: worn(one),
            f"each an adapter, rank {LARGE_RANK}": lambda: worn(large),
            f"all one stack of {STACKED}, rank {RANK}": lambda: worn([stacked[0]] * samples),
            f"each a stack of {STACKED}, rank {RANK}": lambda: worn(stacked),
        }


@torch.inference_mode()
def _seconds(variant: Callable[[], None]) -> float:
    begun_at = time.thread_time()
    variant()
    return time.thread_time() - begun_at


def _ratios(measured: dict[str, Seconds]) -> dict[str, float]:
    found = {}
    for samples, seconds in measured.items():
        bare = seconds["bare, packed"]
        pairs = {
            "packed to plain, bare": (bare, seconds["bare, plain"]),
            "packed to plain, merged": (seconds["merged, packed"], seconds["merged, plain"]),
            f"eight different, rank {RANK}": (
                seconds[f"each another adapter, rank {RANK}"],
                bare,
            ),
            f"rank {LARGE_RANK}": (seconds[f"each an adapter, rank {LARGE_RANK}"], bare),
            f"{STACKED} stacked, rank {RANK}, the same": (
                seconds[f"all one stack of {STACKED}, rank {RANK}"],
                bare,
            ),
            f"{STACKED} stacked, rank {RANK}, each its own": (
                seconds[f"each a stack of {STACKED}, rank {RANK}"],
                bare,
            ),
        }
        for name, (ours, other) in pairs.items():
            found[f"{samples}: {name}"] = statistics.median(
                one / of for one, of in zip(ours, other, strict=True)
            )
    return found


def _adapter(profile: BaseProfile, *, rank: int, seed: int) -> HostAdapter:
    generator = torch.Generator().manual_seed(seed)
    layers = {
        (full_size.COMPONENT, name): PackedLayer(
            down=torch.randn(rank, shape.inputs, generator=generator) * 0.01,
            up=torch.randn(rank, shape.outputs, generator=generator) * 0.01,
        )
        for name, shape in full_size.adapted(profile)
    }
    return lay_out(layers, digest=f"sha256:{rank}-{seed}", dtype=torch.float32)
