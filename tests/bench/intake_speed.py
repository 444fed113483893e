# SPDX-License-Identifier: Apache-2.0
"""From a trainer's file to host memory: check, canonical file, pack; diffusers' loading beside it.

Files of full size are made of noise on the spot. Each measurement of memory runs in a process of
its own. Wall time says what a user waits on this machine as it is, processor time what it costs.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from diffusers import DDIMScheduler, StableDiffusionPipeline
from safetensors.numpy import save_file

from tabard_registry import check, read_canonical
from tabard_registry.content.canonical import write_canonical
from tabard_registry.content.storing import assemble_manifest
from tabard_registry.refs.names import AdapterName
from tabard_registry.refs.semver import Version
from tabard_registry.release.release import ReleaseDraft
from tabard_server.adapters.host_adapter import pack
from tests.golden.full_size.models import build
from tests.golden.full_size.table import Row, full_size_profile, layers
from tests.tiny_models import tiny_tokenizer, tiny_vae

ROUNDS = 7
SDXL_SECONDS_MAX, SDXL_MEMORY_MAX = 3.0, 3.0
SD1_MS_MAX, SD1_GAIN_MIN = 15.0, 15.0

_DRAFT = ReleaseDraft(adapter=AdapterName("bench", "noise"), version=Version.parse("1.0.0"))
_ATTENTION = (".attn1.", ".attn2.", ".ff.net.", ".proj_in", ".proj_out")

Numbers = dict[str, Any]


def run(*, rounds: int = ROUNDS) -> Numbers:
    """Measure everything, in a temporary folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="tabard-bench-") as name:
        folder = Path(name)
        small = write_file(folder / "sd1.safetensors", family="sd1", rank=16)
        large = write_file(folder / "sdxl.safetensors", family="sdxl", rank=32)
        texts = write_file(folder / "texts.safetensors", family="sdxl", rank=32, with_texts=True)
        return {
            "sd1": _stage("take", small, "sd1", rounds),
            "sd1_diffusers": _stage("diffusers", small, "sd1", rounds),
            "sdxl": _stage("take", large, "sdxl", rounds),
            "sdxl_texts": _stage("take", texts, "sdxl", rounds),
        }


def report(measured: Numbers) -> None:
    """Print what was measured, beside what was promised."""
    sd1, theirs = measured["sd1"], measured["sd1_diffusers"]
    gain = median(theirs["wall_seconds"]) / median(sd1["wall_seconds"])
    print(f"\n{'from a file to host memory':44}{'wall':>11}{'processor':>12}   promised")
    for title, found, promise in (
        ("SD1.5 r16, 192 layers", sd1, f"{SD1_MS_MAX:.0f} ms"),
        ("  diffusers: load_lora_weights", theirs, ""),
        ("SDXL r32, all transformer layers", measured["sdxl"], f"{SDXL_SECONDS_MAX:.0f} s"),
        ("SDXL r32, both text encoders too", measured["sdxl_texts"], ""),
    ):
        wall, cpu = median(found["wall_seconds"]), median(found["cpu_seconds"])
        print(f"{title:44}{wall * 1e3:>8.1f} ms{cpu * 1e3:>9.1f} ms   {promise}")
        for step, seconds in found.get("steps", {}).items():
            print(f"{'    ' + step:44}{median(seconds) * 1e3:>8.1f} ms")
    print(f"{'times as fast as diffusers':44}{gain:>9.1f}{'':>14}   {SD1_GAIN_MIN:.0f}")
    for name in ("sdxl", "sdxl_texts"):
        found = measured[name]
        share = found["extra_bytes"] / found["file_bytes"]
        title = f"{name}: memory beside a {found['file_bytes'] / 1e6:.0f} MB file"
        print(f"{title:44}{share:>8.2f} x{'':>14}   {SDXL_MEMORY_MAX:.0f} x")


def write_file(path: Path, *, family: str, rank: int, with_texts: bool = False) -> Path:
    """Write a LoRA of all transformer layers as kohya's trainer does, in float16."""
    rng = np.random.default_rng(rank)
    tensors: dict[str, Any] = {}
    for row in layers(family):
        if _is_trained(row, with_texts=with_texts):
            ones = (1, 1) if row.kind == "conv2d" else ()
            for part, shape in (("down", (rank, row.inputs)), ("up", (row.outputs, rank))):
                noise = rng.standard_normal((*shape, *ones), dtype=np.float32) * 0.02
                tensors[f"{row.kohya}.lora_{part}.weight"] = noise.astype(np.float16)
            tensors[f"{row.kohya}.alpha"] = np.asarray(rank / 2, np.float16)
    save_file(tensors, str(path), metadata={"ss_network_dim": str(rank)})
    return path


def take(path: Path, family: str, rounds: int) -> Numbers:
    """Check, write the canonical file, read it and pack it, over and over."""
    torch.set_num_threads(1)
    profile = full_size_profile(family)
    before = _rss_bytes()
    walls: list[float] = []
    cpus: list[float] = []
    steps: dict[str, list[float]] = {"check": [], "canonical": [], "pack": []}
    extra_bytes = 0
    for number in range(rounds + 1):
        target = path.with_name(f"canonical-{number}")
        clock, cpu = time.perf_counter(), time.process_time()
        checked = check([path], profile=profile)
        checked_at = time.perf_counter()
        blob = write_canonical(checked, target)
        written_at = time.perf_counter()
        manifest = assemble_manifest(_DRAFT, checked=checked, canonical=blob)
        canonical = read_canonical(target, manifest, verify=False)
        adapter = pack(canonical, manifest=manifest, dtype=torch.float16)
        packed_at = time.perf_counter()
        assert checked.report.accepted and len(adapter.layers) == len(checked.layers)
        if number:  # The first one also imports and fills caches.
            walls.append(packed_at - clock)
            cpus.append(time.process_time() - cpu)
            steps["check"].append(checked_at - clock)
            steps["canonical"].append(written_at - checked_at)
            steps["pack"].append(packed_at - written_at)
        else:
            extra_bytes = _rss_bytes() - before
        del adapter, canonical, checked
        target.unlink()
    return {
        "wall_seconds": walls,
        "cpu_seconds": cpus,
        "steps": steps,
        "extra_bytes": extra_bytes,
        "file_bytes": path.stat().st_size,
        "layers": len(check([path], profile=profile).layers),
    }


def load_with_diffusers(path: Path, family: str, rounds: int) -> Numbers:
    """Load the file into a pipeline with a UNet of full size, over and over; unload in between."""
    torch.set_num_threads(1)
    pipeline = _pipeline(family)
    walls, cpus = [], []
    for number in range(rounds + 1):
        clock, cpu = time.perf_counter(), time.process_time()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pipeline.load_lora_weights(str(path), adapter_name="noise")
        if number:
            walls.append(time.perf_counter() - clock)
            cpus.append(time.process_time() - cpu)
        pipeline.unload_lora_weights()
    return {"wall_seconds": walls, "cpu_seconds": cpus}


def _pipeline(family: str) -> Any:
    """Return a pipeline around a UNet of full size; only the UNet is ever looked at."""
    models = build(family)
    unet = models["unet"].to(torch.float16).to_empty(device="cpu")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return StableDiffusionPipeline(
            vae=tiny_vae(),
            text_encoder=models["text_encoder"].to(torch.float16).to_empty(device="cpu"),
            tokenizer=tiny_tokenizer(),
            unet=unet,
            scheduler=DDIMScheduler(),
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )


def _is_trained(row: Row, *, with_texts: bool) -> bool:
    if row.component != "unet":
        return with_texts and row.module != "text_projection"
    return any(part in f"{row.module}." for part in _ATTENTION) and "attentions" in row.module


def _rss_bytes() -> int:
    """Return the most memory that this process ever held."""
    status = Path("/proc/self/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def _stage(name: str, path: Path, family: str, rounds: int) -> Numbers:
    """Run one measurement in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.intake_speed", name, str(path), family, str(rounds)],
        capture_output=True,
        text=True,
        check=True,
    )
    found: Numbers = json.loads(done.stdout.splitlines()[-1])
    return found


STAGES: dict[str, Callable[[Path, str, int], Numbers]] = {
    "take": take,
    "diffusers": load_with_diffusers,
}

if __name__ == "__main__":
    if len(sys.argv) == 1:
        report(run())
    else:
        _, stage, where, of_family, count = sys.argv
        print(json.dumps(STAGES[stage](Path(where), of_family, int(count))))
