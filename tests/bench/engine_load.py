# SPDX-License-Identifier: Apache-2.0
"""How an adapter comes to the device: from the disk tier, from a trainer's file, a thousand times.

Both sides take turns in one process, on a model of SD1.5's size with random weights: `load_lora_
weights` of diffusers, and Tabard's way until the slots are filled. Beside wall time stands the CPU
time of the thread, for machines that others use as well. Stages run in processes of their own.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

import torch
import xxhash
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

from tabard_registry import (
    AdapterName,
    AdapterRef,
    Author,
    BlobRef,
    Canonical,
    IntakeLimits,
    Layer,
    Registry,
    Release,
    ReleaseDraft,
    Version,
    check,
    sha256_bytes,
)
from tabard_registry.content.storing import assemble_manifest
from tabard_registry.intake.files.layout import forget_layouts
from tabard_registry.intake.plans import forget_plans
from tabard_registry.refs.names import ByVersion
from tabard_server.adapters.disk_cache import DiskCache
from tabard_server.adapters.host_adapter import HostAdapter, pack
from tabard_server.adapters.loader import ReleaseLoader
from tabard_server.engine.base.loading import load_base
from tabard_server.engine.base.profile import read_profile
from tabard_server.engine.slots.binding import bind_rows
from tabard_server.engine.slots.slot_table import SlotTable
from tabard_server.telemetry.metrics import Metrics
from tests.bench import full_size
from tests.bench.registry.scale import Numbers

ROUNDS = 5
SWAPS, SWAPS_BEFORE, SWAPPED = 1_000, 100, 8
FEW, MANY, SMALL_RANK, ROWS = 4, 256, 4, 8
FROM_DISK_MIN, FROM_FILE_MIN, FROM_FIRST_MIN = 80.0, 17.0, 10.0
FLAT_MAX, GROWTH_MAX = 1.05, 0.01

_LOADS = ("diffusers", "disk", "hash", "file", "first", "dora", "evict")
_RESOLVES = 2_000
_VERSION = Version.parse("1.0.0")


def run(*, device: str = "cpu", rounds: int = ROUNDS) -> Numbers:
    """Measure everything; the loads need about 12 GB of memory."""
    return {stage: _stage(stage, device, max(rounds, ROUNDS)) for stage in STAGES}


def report(measured: Numbers) -> None:
    """Print what was measured, beside what was promised."""
    loads, swaps, crowd = measured["load"], measured["swaps"], measured["residents"]
    rows = [
        ("diffusers: load_lora_weights", _spread(loads["diffusers"]), ""),
        ("from the disk tier, slots filled", _spread(loads["disk"]), ""),
        ("  times as fast", _gain(loads, "disk"), f">= {FROM_DISK_MIN:.0f}"),
        ("  of it, the hash of the slab", _spread(loads["hash"]), ""),
        ("from a trainer's file, of a kind seen before", _spread(loads["file"]), ""),
        ("  times as fast", _gain(loads, "file"), f">= {FROM_FILE_MIN:.0f}"),
        ("from a trainer's file, the first of its kind", _spread(loads["first"]), ""),
        ("  times as fast", _gain(loads, "first"), f">= {FROM_FIRST_MIN:.0f}"),
        ("DoRA from the disk tier, slots filled", _spread(loads["dora"]), ""),
        ("evict it from the slots", _spread(loads["evict"]), ""),
        (f"memory after {swaps['swaps']} swaps", f"{swaps['growth']:+.2%}", f"<= {GROWTH_MAX:.0%}"),
        ("  one swap", f"{swaps['swap_ms']:.1f} ms", ""),
        (f"step, {FEW} to {MANY} resident", f"{crowd['step_ratio']:.3f}", f"<= {FLAT_MAX}"),
        (f"resolve one, {FEW} to {MANY}", f"{crowd['resolve_ratio']:.3f}", f"<= {FLAT_MAX}"),
        ("  all of them in turn", f"{crowd['resolve_all_ratio']:.3f}", ""),
    ]
    print(f"\n{'loading adapters on ' + loads['device']:46}{'measured':>34}   promised")
    for title, value, promise in rows:
        print(f"{title:46}{value:>34}   {promise}")


def measure_loads(device: torch.device, rounds: int) -> Numbers:
    """Let diffusers and Tabard load one adapter in turns; for each, wall and CPU milliseconds."""
    dtype = torch.float16 if device.type == "cuda" else torch.float32
    unet = full_size.new_unet(dtype=dtype, device=device)
    profile = full_size.profile_of(unet)
    slots, _ = full_size.slots_of(full_size.twin_of(unet), rank_total=64)
    pipe = _pipeline(unet)
    found: Numbers = {name: [] for name in _LOADS}
    with _Stock(profile=profile, dtype=dtype, device=device) as stock:
        plain, scaled = stock.add(seed=0), stock.add(seed=1, with_magnitudes=True)
        slab = stock.load(plain).slab
        assert slab is not None
        whole = slab.numpy().data
        for number in range(rounds + 1):
            turn = {
                "disk": lambda: _hold(slots, stock.load(plain)),
                "hash": lambda: xxhash.xxh3_128_digest(whole),
                "evict": slots.evict_idle,
                "diffusers": lambda: _load_with_diffusers(pipe, stock.files[plain]),
                "file": lambda: _hold(slots, stock.load_file(plain)),
                "first": lambda: _hold(slots, stock.load_file(plain)),
                "dora": lambda: _hold(slots, stock.load(scaled)),
            }
            timed = {}
            for name, act in turn.items():
                if name == "first":
                    forget_layouts()
                    forget_plans()
                timed[name] = _timed(act, device=device)
                if name == "diffusers":
                    pipe.unload_lora_weights()
                if name not in ("disk", "hash"):
                    slots.evict_idle()
            if number > 0:
                for name, one in timed.items():
                    found[name].append(one)
    return {**found, "device": str(device), "dtype": str(dtype), "threads": torch.get_num_threads()}


def measure_swaps(device: torch.device, _rounds: int) -> Numbers:
    """Load adapters from the disk tier into slots that hold two, and watch the memory."""
    dtype = torch.float16 if device.type == "cuda" else torch.float32
    unet = full_size.new_unet(dtype=dtype, device=device)
    slots, _ = full_size.slots_of(unet, rank_total=2 * full_size.RANK)
    with _Stock(profile=full_size.profile_of(unet), dtype=dtype, device=device) as stock:
        digests = [stock.add(seed=seed) for seed in range(SWAPPED)]

        def swap(number: int) -> None:
            _hold(slots, stock.load(digests[number % SWAPPED]))

        for number in range(SWAPS_BEFORE):
            swap(number)
        before, begun = _memory_bytes(device), time.perf_counter()
        for number in range(SWAPS):
            swap(number)
        seconds = time.perf_counter() - begun
        after = _memory_bytes(device)
    growth = max(late / early - 1 for early, late in zip(before, after, strict=True))
    return {
        "swaps": SWAPS,
        "before_bytes": before,
        "after_bytes": after,
        "growth": growth,
        "swap_ms": 1e3 * seconds / SWAPS,
    }


def measure_residents(device: torch.device, rounds: int) -> Numbers:
    """Step and resolve on the demo base while few, then many adapters are resident."""
    base = load_base("demo")
    profile, unet = read_profile(base), base.models[full_size.COMPONENT].to(device)
    slots, binding = full_size.slots_of(unet, rank_total=MANY * SMALL_RANK)
    sides = (("few", FEW), ("many", MANY))
    found: Numbers = {f"{side}_{what}": [] for side, _ in sides for what in ("ms", "us", "all_us")}
    with (
        _Stock(profile=profile, dtype=torch.float32, device=device, rank=SMALL_RANK) as few,
        _Stock(profile=profile, dtype=torch.float32, device=device, rank=SMALL_RANK) as many,
    ):
        crowd = [many.load(many.add(seed=seed)) for seed in range(MANY)]
        for seed in range(FEW):
            few.add(seed=seed)
        for number in range(rounds + 1):
            slots.evict_idle()
            for (side, count), stock in zip(sides, (few, many), strict=True):
                step_ms = _step_ms(slots, binding, unet, crowd[:count], device=device)
                if number > 0:
                    found[f"{side}_ms"].append(step_ms)
                    found[f"{side}_us"].append(stock.resolve_us(names=FEW))
                    found[f"{side}_all_us"].append(stock.resolve_us(names=count))
    return {
        **found,
        "step_ratio": median(found["many_ms"]) / median(found["few_ms"]),
        "resolve_ratio": median(found["many_us"]) / median(found["few_us"]),
        "resolve_all_ratio": median(found["many_all_us"]) / median(found["few_all_us"]),
    }


def _step_ms(
    slots: SlotTable,
    binding: Any,
    unet: Any,
    adapters: Sequence[HostAdapter],
    *,
    device: torch.device,
) -> float:
    """Make adapters resident, and return the milliseconds of a step that wears a few of them."""
    for adapter in adapters:
        _hold(slots, adapter)
    assert len(slots.residents()) == len(adapters)
    size = unet.config.sample_size
    sample = torch.ones(ROWS, unet.config.in_channels, size, size, device=device)
    text = torch.ones(ROWS, 8, unet.config.cross_attention_dim, device=device)
    with torch.inference_mode(), slots.held(adapters[:FEW]) as worn:
        bind_rows(
            binding,
            stacks=[[(worn[row % FEW], (0.8,))] for row in range(ROWS)],
            samples_per_row=1,
            device=device,
            dtype=torch.float32,
        )
        steps = [
            _timed(lambda: unet(sample, 1, encoder_hidden_states=text), device=device)
            for _ in range(9)
        ]
        binding.clear()
    return median(steps)[0 if device.type == "cuda" else 1]


class _Stock:
    """A registry in a temporary folder, files for it, and a disk tier."""

    def __init__(
        self, *, profile: Any, dtype: torch.dtype, device: torch.device, rank: int = full_size.RANK
    ) -> None:
        self.files: dict[str, Path] = {}
        self._profile, self._dtype, self._rank = profile, dtype, rank
        self._is_pinned = device.type == "cuda"
        self._folder = tempfile.TemporaryDirectory(prefix="tabard-bench-")
        self._place = Path(self._folder.name)
        self._registry = Registry.open(str(self._place / "registry"))
        self.load = ReleaseLoader(
            self._registry,
            profile=profile,
            dtype=dtype,
            disk=DiskCache(
                self._place / "cache",
                fetch=self._registry.fetch,
                bytes_max=1 << 40,
                metrics=Metrics(),
            ),
            is_pinned=self._is_pinned,
        )

    def __enter__(self) -> _Stock:
        return self

    def __exit__(self, *_: object) -> None:
        self._registry.close()
        self._folder.cleanup()

    def add(self, *, seed: int, with_magnitudes: bool = False) -> str:
        """Publish an adapter, promote it, and bring it to the disk tier; return its digest."""
        file = full_size.write_kohya(
            self._place / f"{seed}.safetensors",
            profile=self._profile,
            rank=self._rank,
            seed=seed,
            with_magnitudes=with_magnitudes,
        )
        name = AdapterName.parse(f"bench/number-{seed}")
        draft = ReleaseDraft(adapter=name, version=_VERSION)
        checked = check([file], profile=self._profile, limits=IntakeLimits())
        release: Release = self._registry.publish(
            draft, checked=checked, files=[file], author=Author(actor="bench")
        ).release
        self._registry.promote(
            AdapterRef(adapter=name, selector=ByVersion(_VERSION)),
            channel="stable",
            author=Author(actor="bench"),
        )
        digest = str(release.digest)
        self.load(digest)
        self.files[digest] = file
        return digest

    def load_file(self, digest: str) -> HostAdapter:
        """Bring the trainer's file into memory, checked and packed, past registry and disk."""
        file = self.files[digest]
        checked = check([file], profile=self._profile, limits=IntakeLimits())
        layers = []
        for found in checked.layers:
            pair = found.factors.read()
            layers.append(
                Layer(
                    component=found.component,
                    module=found.module,
                    rank=found.rank,
                    scale=found.scale,
                    down=pair.down,
                    up=pair.up,
                )
            )
        draft = ReleaseDraft(
            adapter=AdapterName.parse("bench/file"), version=Version.parse("1.0.0")
        )
        blob = BlobRef(name="none", sha256=sha256_bytes(b""), bytes=0)
        return pack(
            Canonical(layers=tuple(layers), tokens={}),
            manifest=assemble_manifest(draft, checked=checked, canonical=blob),
            dtype=self._dtype,
            is_pinned=self._is_pinned,
        )

    def resolve_us(self, *, names: int) -> float:
        """Return the microseconds of a resolve, of so many lines in turn."""
        lines = islice(self._registry.state.names(), names)
        refs = [AdapterRef(adapter=name) for name in lines]
        found = []
        for _ in range(9):
            begun = time.thread_time_ns()
            for number in range(_RESOLVES):
                self._registry.state.resolve(refs[number % len(refs)])
            found.append((time.thread_time_ns() - begun) / _RESOLVES / 1e3)
        return median(found)


def _hold(slots: SlotTable, adapter: HostAdapter) -> None:
    with slots.held([adapter]):
        pass


def _pipeline(unet: UNet2DConditionModel) -> StableDiffusionPipeline:
    """Put the smallest possible rest around the UNet; none of it is loaded into."""
    text = CLIPTextConfig(
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        vocab_size=64,
        bos_token_id=0,
        eos_token_id=1,
    )
    return StableDiffusionPipeline(
        vae=AutoencoderKL(block_out_channels=(32,)),
        text_encoder=CLIPTextModel(text),
        tokenizer=None,
        unet=unet,
        scheduler=DDIMScheduler(steps_offset=1, clip_sample=False),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def _load_with_diffusers(pipe: StableDiffusionPipeline, file: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pipe.load_lora_weights(str(file), adapter_name="bench")


def _timed(act: Callable[[], object], *, device: torch.device) -> tuple[float, float]:
    """Return milliseconds of wall time and of this thread's CPU time, the device's work done."""
    cpu, wall = time.thread_time(), time.perf_counter()
    act()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return 1e3 * (time.perf_counter() - wall), 1e3 * (time.thread_time() - cpu)


def _memory_bytes(device: torch.device) -> list[int]:
    """Return what this process holds now, and on CUDA what its tensors hold there."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    held = [4096 * pages]
    return [*held, torch.cuda.memory_allocated(device)] if device.type == "cuda" else held


def _stage(name: str, device: str, rounds: int) -> Numbers:
    command = [sys.executable, "-m", "tests.bench.engine_load", name, device, str(rounds)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: Numbers = json.loads(done.stdout.splitlines()[-1])
    return found


def _spread(found: Sequence[Sequence[float]]) -> str:
    wall, cpu = ([one[side] for one in found] for side in (0, 1))
    return f"{median(wall):.1f} ms, of the CPU {median(cpu):.1f} ms"


def _gain(loads: Numbers, name: str) -> str:
    wall, cpu = (
        median(one[side] for one in loads["diffusers"]) / median(one[side] for one in loads[name])
        for side in (0, 1)
    )
    return f"{wall:.1f}, by the CPU {cpu:.1f}"


STAGES: dict[str, Callable[[torch.device, int], Numbers]] = {
    "load": measure_loads,
    "swaps": measure_swaps,
    "residents": measure_residents,
}

if __name__ == "__main__":
    _, stage, where, count = sys.argv
    print(json.dumps(STAGES[stage](torch.device(where), int(count))))
