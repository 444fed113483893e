# SPDX-License-Identifier: Apache-2.0
"""`make bench`: a registry at scale, then Livery through gRPC against diffusers alone, in one run.

Where two sides are compared they take turns on the same machine, so that what slows one slows the
other. Prints tables, then the numbers as JSON on the last line. `ARGS="--part registry"` measures
one part, `ARGS="--releases 100000"` a smaller registry.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import torch

from livery import Client
from livery.cli.demo.catalog import Catalog, find_material, read_catalog
from livery.cli.demo.server_process import TORCH_THREADS, running_server
from tests.bench import registry_scale, served
from tests.bench.alone import DiffusersLoop
from tests.bench.workload import CROWD, STEPS, Measured, mixed_crowd, ratio, spread

ROUNDS_MIN = 5


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS_MIN, help="5 or more")
    parser.add_argument("--part", choices=("all", "registry", "images"), default="all")
    parser.add_argument("--releases", type=int, default=registry_scale.RELEASES)
    chosen = parser.parse_args()
    rounds = max(ROUNDS_MIN, chosen.rounds)
    summary: dict[str, object] = {}
    if chosen.part != "images":
        summary["registry"] = registry_scale.run(releases=chosen.releases, rounds=rounds)
        registry_scale.report(summary["registry"])
    if chosen.part != "registry":
        summary |= bench_images(rounds=rounds)
    print(json.dumps(summary, sort_keys=True))


def bench_images(*, rounds: int) -> dict[str, object]:
    """Measure Livery against diffusers alone; print the table, return the numbers."""
    # Both sides get the threads that suit so small a base; more make diffusers slower, too.
    torch.set_num_threads(TORCH_THREADS)
    material = find_material()
    catalog = read_catalog(material / "adapters")
    with (
        tempfile.TemporaryDirectory() as folder,
        running_server(Path(folder)) as address,
        Client(address, actor="bench") as client,
    ):
        device = client.status().device
        loop = DiffusersLoop(material / "base", releases=(catalog.style, catalog.partner))
        measured = measure(client, loop, catalog=catalog, rounds=rounds)
    return report(measured, device=device)


def measure(
    client: Client, loop: DiffusersLoop, *, catalog: Catalog, rounds: int
) -> dict[str, Measured]:
    """Return every measurement by name; the crowds take turns, after a warm-up of both sides."""
    clock = time.perf_counter
    crowd = mixed_crowd(catalog)
    served.publish_first(client, catalog)
    for picture in crowd[:2]:
        served.image_seconds(client, picture, clock=clock)
        loop.draw(picture)

    times: dict[str, list[float]] = {"image": [], "crowd": [], "crowd_diffusers": []}
    for _ in range(rounds):
        times["image"].append(served.image_seconds(client, crowd[0], clock=clock))
        times["crowd"].append(served.crowd_seconds(client, crowd, clock=clock))
        times["crowd_diffusers"].append(loop.crowd_seconds(crowd, clock=clock))
    new = catalog.style
    times["swap"] = served.swap_seconds(client, new, rounds=rounds, clock=clock)
    times["swap_diffusers"] = loop.swap_seconds(new, rounds=rounds, clock=clock)
    times["rollback"] = served.rollback_seconds(client, new, rounds=rounds, clock=clock)
    return {name: Measured(name=name, seconds=tuple(seconds)) for name, seconds in times.items()}


def report(measured: dict[str, Measured], *, device: str) -> dict[str, object]:
    """Print the table and return the numbers."""
    gain = ratio(measured["crowd_diffusers"], measured["crowd"])
    swap = measured["swap"].median - measured["image"].median
    rows = [
        ("one image, nothing changes", measured["image"]),
        ("publish, promote, first image of it", measured["swap"]),
        ("diffusers: load_lora_weights, first image", measured["swap_diffusers"]),
        ("roll back, next request pinned", measured["rollback"]),
        (f"{CROWD} images, two adapters in turn", measured["crowd"]),
        ("diffusers: the same, set_adapters in a loop", measured["crowd_diffusers"]),
    ]
    print(f"device {device}, {torch.get_num_threads()} threads, {STEPS} steps, demo base")
    print(f"{'':45}{'median s':>10}   fastest to slowest")
    for title, one in rows:
        print(f"{title:45}{one.median:>10.3f}   {spread(one.seconds)}")
    print(f"\nmixed batches draw {gain:.2f} times as fast as the diffusers loop")
    print(f"a swap adds {swap:.3f} s to the image that needs it")
    return {
        "device": device,
        "threads": torch.get_num_threads(),
        "steps": STEPS,
        "crowd_gain": gain,
        "swap_extra_seconds": swap,
        "seconds": {name: list(one.seconds) for name, one in measured.items()},
    }


if __name__ == "__main__":
    main()
