# SPDX-License-Identifier: Apache-2.0
"""A checkpoint of Stable Diffusion 1.5's size becomes an adapter: how long, and in what memory.

The weights are random, in float16 on disk, every parameter of the checkpoint differs. Building and
extracting run in processes of their own; each prints its numbers as JSON on its last line.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

from tabard_server.extraction.extraction import extract
from tabard_server.extraction.settings import ExtractionSettings, RankRule
from tests.bench import full_size
from tests.tiny_models import tiny_tokenizer

RANK = 32
ENERGY, RANK_MAX = 0.95, 128
SAMPLE_SECONDS = 0.05
_SPREAD, _CHANGE = 0.02, 0.001

Numbers = dict[str, Any]


def run() -> Numbers:
    """Measure everything, in a temporary folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="tabard-bench-") as name:
        folder = Path(name)
        measured: Numbers = {"build": _stage("build", folder)}
        for choice in ("rank", "energy", "exact"):
            measured[choice] = _stage(choice, folder)
    return measured


def report(measured: Numbers) -> None:
    """Print what was measured."""
    build = measured["build"]
    rows = [
        ("parameters", f"{build['parameters'] / 1e6:.0f} million"),
        ("checkpoint on disk, float16", f"{build['bytes'] / 1e9:.2f} GB"),
    ]
    titles = {
        "rank": f"rank {RANK}",
        "energy": f"energy {ENERGY}, rank at most {RANK_MAX}",
        "exact": "exact",
    }
    for choice, title in titles.items():
        one = measured[choice]
        rows += [
            (title, f"{one['seconds']:.0f} s, base read in {one['base_seconds']:.0f} s"),
            ("  of a processor", f"{one['cpu_seconds']:.0f} s"),
            ("  own memory at most", f"{one['anonymous_bytes'] / 1e9:.2f} GB"),
            ("  with mapped files", f"{one['rss_bytes'] / 1e9:.2f} GB"),
            ("  adapter", f"{one['file_bytes'] / 1e6:.0f} MB, keeps {one['kept_energy']:.1%}"),
        ]
    print(f"\n{'extraction, SD1.5 size':40}{torch.get_num_threads()} threads")
    for title, value in rows:
        print(f"{title:40}{value}")


def build(folder: Path) -> Numbers:
    """Write a base, and a checkpoint that differs everywhere."""
    parts = _parts()
    generator = torch.Generator().manual_seed(0)
    _save(parts, folder / "base")
    for part in ("unet", "text_encoder"):
        for name, weight in parts[part].named_parameters():
            if "embedding.weight" not in name:
                noise = torch.randn(weight.shape, generator=generator)
                weight.data = (weight.data.float() + _CHANGE * noise).half()
    _save(parts, folder / "tuned")
    return {
        "parameters": sum(p.numel() for part in parts.values() for p in part.parameters()),
        "bytes": sum(one.stat().st_size for one in (folder / "tuned").rglob("*.safetensors")),
    }


def measure(folder: Path, *, settings: ExtractionSettings) -> Numbers:
    """Extract once, with an eye on memory; pictures of random weights say nothing."""
    clock = time.perf_counter
    begun = clock()
    marks: dict[str, float] = {}

    def tell(what: str, _done: int, _total: int) -> None:
        marks.setdefault(what, clock() - begun)

    with _watched_memory() as memory:
        found = extract(
            str(folder / "tuned"),
            base=str(folder / "base"),
            out=folder / "out.safetensors",
            settings=settings,
            progress=tell,
        )
    (folder / "out.safetensors").unlink()
    return {
        "seconds": clock() - begun,
        "cpu_seconds": time.process_time(),
        "base_seconds": marks["reading the checkpoint"],
        "checkpoint_seconds": marks["comparing"] - marks["reading the checkpoint"],
        "file_bytes": found.file_bytes,
        "kept_energy": found.kept_energy,
        "rank_max": found.rank_max,
        "layers": len(found.layers),
        **memory,
    }


def _parts() -> dict[str, Any]:
    tokenizer = tiny_tokenizer()
    with torch.device("meta"):
        parts: dict[str, Any] = {
            "unet": UNet2DConditionModel(sample_size=64, cross_attention_dim=768),
            "vae": AutoencoderKL(**full_size.VAE),
            "text_encoder": CLIPTextModel(
                CLIPTextConfig(
                    hidden_size=768,
                    intermediate_size=3072,
                    num_hidden_layers=12,
                    num_attention_heads=12,
                    vocab_size=49408,
                    bos_token_id=tokenizer.bos_token_id,
                    eos_token_id=tokenizer.eos_token_id,
                    pad_token_id=tokenizer.pad_token_id,
                )
            ),
        }
    generator = torch.Generator().manual_seed(1)
    for part in parts.values():
        part.to_empty(device="cpu")
        part.half()
        for weight in part.parameters():
            weight.data = (_SPREAD * torch.randn(weight.shape, generator=generator)).half()
        for name, buffer in part.named_buffers():
            assert name.endswith("position_ids"), name
            buffer.copy_(torch.arange(buffer.shape[-1]).expand_as(buffer))
    return parts


def _save(parts: dict[str, Any], folder: Path) -> None:
    StableDiffusionPipeline(
        **parts,
        tokenizer=tiny_tokenizer(),
        scheduler=DDIMScheduler(clip_sample=False),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(str(folder))


@contextmanager
def _watched_memory() -> Iterator[Numbers]:
    """Give the peaks of resident memory: all of it, and what is not mapped from files."""
    peaks: Numbers = {"anonymous_bytes": 0, "rss_bytes": 0}
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(SAMPLE_SECONDS):
            status = _status()
            peaks["anonymous_bytes"] = max(peaks["anonymous_bytes"], status["RssAnon"])
            peaks["rss_bytes"] = max(peaks["rss_bytes"], status["VmRSS"])

    watcher = threading.Thread(target=watch, name="memory")
    watcher.start()
    try:
        yield peaks
    finally:
        ended.set()
        watcher.join()


def _status() -> dict[str, int]:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    pairs = (line.split(":", 1) for line in lines)
    return {name: int(text.split()[0]) * 1024 for name, text in pairs if text.endswith(" kB")}


def _stage(name: str, folder: Path) -> Numbers:
    command = [sys.executable, "-m", "tests.bench.extraction_speed", name, str(folder)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: Numbers = json.loads(done.stdout.splitlines()[-1])
    return found


def _settings(**choice: Any) -> ExtractionSettings:
    return ExtractionSettings(comparison=None, **choice)


STAGES: dict[str, Callable[[Path], Numbers]] = {
    "build": build,
    "rank": lambda folder: measure(folder, settings=_settings(ranks=RankRule(rank=RANK))),
    "energy": lambda folder: measure(
        folder, settings=_settings(ranks=RankRule(energy=ENERGY, rank_max=RANK_MAX))
    ),
    "exact": lambda folder: measure(folder, settings=_settings(is_exact=True)),
}

if __name__ == "__main__":
    _, stage, where = sys.argv
    print(json.dumps(STAGES[stage](Path(where))))
