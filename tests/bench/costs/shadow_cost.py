# SPDX-License-Identifier: Apache-2.0
"""What a canary's shadow costs the caller whose steps it shares: small images on the demo base.

The candidate is the release in service once more, so that the canary goes on. Images by exact
version, which no canary looks at, and by the channel, each of a new prompt, take turns.
"""

import itertools
import tempfile
import time
from pathlib import Path

import numpy as np
from safetensors.torch import load_file, save_file

from tabard import Client
from tabard.cli.demo.catalog import find_material
from tabard.cli.demo.server_process import TABARD_SERVE, running_server

NAME = "acme/watercolor"
CALLS = 12
"""Of each kind in one round: five rounds need fewer prompts than a verdict does."""
STEPS = 8
_PERCENTILES = (50, 95)


def run(*, rounds: int) -> tuple[dict[str, list[float]], int]:
    """Return the seconds of every image, by whether it had a shadow, and the pairs judged."""
    measured: dict[str, list[float]] = {"alone": [], "shadowed": []}
    with tempfile.TemporaryDirectory(prefix="tabard-bench-") as name:
        folder = Path(name)
        command = (*TABARD_SERVE, "--set", f"cache={folder / 'cache'}")
        with running_server(folder, command=command) as address, Client(address) as client:
            _publish(client, folder)
            numbers = itertools.count()
            client.start_canary(f"{NAME}@1.0.1", shadow=True, reason="bench")
            _wait_for_pairs(client, numbers)
            for _round in range(rounds):
                for kind, ref in (("alone", f"{NAME}@1.0.0"), ("shadowed", NAME)):
                    measured[kind] += [_draw(client, ref, next(numbers)) for _ in range(CALLS)]
                    # What was left of shadows ends before the others' turn.
                    time.sleep(1.0)
            pairs = client.canary(f"{NAME}@1.0.1").units
    return measured, pairs


def report(measured: dict[str, list[float]], pairs: int) -> None:
    """Print percentiles and ratios."""
    print(f"\nimages of {STEPS} steps, one after another, seconds; {pairs} pairs were judged\n")
    print("| | " + " | ".join(f"p{one}" for one in _PERCENTILES) + " |")
    print("|---|" + "---|" * len(_PERCENTILES))
    found = {name: np.percentile(seconds, _PERCENTILES) for name, seconds in measured.items()}
    for name, title in (("alone", "no shadow"), ("shadowed", "with a shadow of two rows")):
        print(f"| {title} | " + " | ".join(f"{one:.3f}" for one in found[name]) + " |")
    ratios = found["shadowed"] / found["alone"]
    print("| ratio | " + " | ".join(f"{one:.2f}" for one in ratios) + " |")


def _publish(client: Client, folder: Path) -> None:
    file = find_material() / "adapters" / "watercolor-1.0.0.safetensors"
    again = folder / "again.safetensors"
    save_file(load_file(file), again, metadata={"again": "yes"})
    for version, one in (("1.0.0", file), ("1.0.1", again)):
        client.publish(NAME, one, version=version, trigger_words=["watercolor style"])
    client.promote(f"{NAME}@1.0.0")


def _wait_for_pairs(client: Client, numbers: "itertools.count[int]") -> None:
    """Draw until the canary has its scale and judges."""
    until = time.monotonic() + 180.0
    while not client.canary(f"{NAME}@1.0.1").units:
        assert time.monotonic() < until, "no pair was judged"
        _draw(client, NAME, next(numbers))
        time.sleep(2.0)


def _draw(client: Client, ref: str, number: int) -> float:
    begun_at = time.perf_counter()
    prompt = f"a red circle, watercolor style, number {number}"
    client.generate(prompt, adapters=[ref], seed=7, num_inference_steps=STEPS)
    return time.perf_counter() - begun_at
