# SPDX-License-Identifier: Apache-2.0
"""`make bench`: Tabard against diffusers and peft alone, on one machine in one run.

Where two sides are compared they take turns, so that what slows one slows the other. Prints tables,
then the numbers as JSON on the last line. `ARGS="--part registry"` measures one part, `DEVICE=cuda`
measures on a GPU what can be.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

from tabard import Client
from tabard.cli.demo.catalog import Catalog, find_material, read_catalog
from tabard.cli.demo.server_process import TORCH_THREADS, running_server
from tests.bench import (
    command_line,
    engine_load,
    extraction_speed,
    intake_speed,
    served,
    step_times,
    traffic,
)
from tests.bench.alone import DiffusersLoop
from tests.bench.alternatives import openvino_sizes, pictures, table
from tests.bench.costs import (
    door_cost,
    evaluation_cost,
    identity_cost,
    queue_cost,
    region_cost,
    sampler_cost,
    shadow_cost,
    start_cost,
    step_cost,
)
from tests.bench.registry import scale
from tests.bench.workload import CROWD, STEPS, Measured, mixed_crowd, ratio, spread

ROUNDS_MIN = 5
ON_A_GPU = ("steps", "regions", "load")
"""Parts that measure the engine itself; the others are about the demo base and the registry."""


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS_MIN, help="5 or more")
    parser.add_argument("--part", choices=("all", *_PARTS), default="all")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--compiled", action="store_true", help="run UNets as compiled graphs")
    parser.add_argument("--releases", type=int, default=scale.RELEASES)
    parser.add_argument(
        "--without", nargs="+", default=(), metavar="NAME", help="alternatives to leave out"
    )
    parser.add_argument(
        "--sd-cpp", type=Path, metavar="FILE", help="sd-cli of stable-diffusion.cpp"
    )
    chosen = parser.parse_args()
    chosen.rounds = max(ROUNDS_MIN, chosen.rounds)
    # Both sides get the threads that suit so small a base; more make diffusers slower, too.
    torch.set_num_threads(TORCH_THREADS)
    parts = ON_A_GPU if chosen.device == "cuda" else tuple(_PARTS)
    summary: dict[str, object] = {}
    for name in parts if chosen.part == "all" else (chosen.part,):
        summary[name] = _PARTS[name](chosen)
    print(json.dumps(summary, sort_keys=True))


def _registry(chosen: argparse.Namespace) -> object:
    measured = scale.run(releases=chosen.releases, rounds=chosen.rounds)
    scale.report(measured)
    return measured


def _identity(chosen: argparse.Namespace) -> object:
    measured = identity_cost.run(rounds=chosen.rounds)
    identity_cost.report(measured)
    return measured


def _traffic(chosen: argparse.Namespace) -> object:
    options = ("--set", "compiled=true") if chosen.compiled else ()
    measured = traffic.run(rounds=chosen.rounds, options=options)
    traffic.report(measured)
    return measured


def _steps(chosen: argparse.Namespace) -> object:
    sizes = tuple(step_times.SIZES) if chosen.device == "cuda" else ("sd15",)
    measured = {}
    for size in sizes:
        measured[size] = step_times.run(
            device=chosen.device, rounds=chosen.rounds, is_compiled=chosen.compiled, size=size
        )
        step_times.report(measured[size])
    return measured


def _adapters(chosen: argparse.Namespace) -> object:
    measured = step_cost.run(rounds=chosen.rounds)
    step_cost.report(measured)
    return measured


def _samplers(chosen: argparse.Namespace) -> object:
    measured = sampler_cost.run(rounds=chosen.rounds)
    sampler_cost.report(measured)
    return measured


def _regions(chosen: argparse.Namespace) -> object:
    measured = region_cost.run(device=chosen.device, rounds=chosen.rounds)
    region_cost.report(measured)
    return measured


def _load(chosen: argparse.Namespace) -> object:
    measured = engine_load.run(device=chosen.device, rounds=chosen.rounds)
    engine_load.report(measured)
    return measured


def _intake(chosen: argparse.Namespace) -> object:
    measured = intake_speed.run(rounds=chosen.rounds)
    intake_speed.report(measured)
    return measured


def _extraction(_chosen: argparse.Namespace) -> object:
    measured = extraction_speed.run()
    extraction_speed.report(measured)
    return measured


def _commands(chosen: argparse.Namespace) -> object:
    measured = command_line.run(rounds=chosen.rounds)
    command_line.report(measured)
    return measured


def _evaluation(chosen: argparse.Namespace) -> object:
    measured = evaluation_cost.run(rounds=chosen.rounds)
    evaluation_cost.report(measured)
    return measured


def _canary(chosen: argparse.Namespace) -> object:
    measured, pairs = shadow_cost.run(rounds=chosen.rounds)
    shadow_cost.report(measured, pairs)
    return measured


def _doors(chosen: argparse.Namespace) -> object:
    measured = door_cost.run(rounds=chosen.rounds)
    door_cost.report(measured)
    return measured


def _queue(chosen: argparse.Namespace) -> object:
    measured = queue_cost.run(rounds=chosen.rounds)
    queue_cost.report(measured)
    return {" ".join(map(str, scene)): found for scene, found in measured.items()}


def _start(chosen: argparse.Namespace) -> object:
    measured = start_cost.run(rounds=chosen.rounds)
    start_cost.report(measured)
    return measured


def _openvino(chosen: argparse.Namespace) -> object:
    measured = openvino_sizes.run(rounds=chosen.rounds)
    openvino_sizes.report(measured)
    return measured


def _alternatives(chosen: argparse.Namespace) -> object:
    measured = table.run(rounds=chosen.rounds, without=chosen.without)
    table.report(measured)
    return measured


def _pictures(chosen: argparse.Namespace) -> object:
    measured = pictures.run(rounds=chosen.rounds, sd_cpp=chosen.sd_cpp)
    pictures.report(measured)
    return measured


def _images(chosen: argparse.Namespace) -> object:
    return bench_images(rounds=chosen.rounds)


def bench_images(*, rounds: int) -> dict[str, object]:
    """Measure Tabard against diffusers alone; print the table, return the numbers."""
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


_PARTS: dict[str, Callable[[argparse.Namespace], object]] = {
    "images": _images,
    "traffic": _traffic,
    "steps": _steps,
    "adapters": _adapters,
    "samplers": _samplers,
    "regions": _regions,
    "load": _load,
    "commands": _commands,
    "queue": _queue,
    "start": _start,
    "alternatives": _alternatives,
    "pictures": _pictures,
    "openvino": _openvino,
    "identity": _identity,
    "doors": _doors,
    "evaluation": _evaluation,
    "canary": _canary,
    "intake": _intake,
    "extraction": _extraction,
    "registry": _registry,
}

if __name__ == "__main__":
    main()
