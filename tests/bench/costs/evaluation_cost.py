# SPDX-License-Identifier: Apache-2.0
"""What callers wait for beside an evaluation: small images on the demo base, alone and beside one.

An evaluation draws behind everybody else, so a caller waits for the one step that is under way, of
at most `limits.background_rows_max` images. Alone and beside take turns, round by round.
"""

import json
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

from tabard import Client
from tabard.cli.demo.catalog import find_material
from tabard.cli.demo.server_process import TABARD_SERVE, running_server
from tabard.health.evaluation import EvaluationCell

REFS = ("acme/watercolor@1.0.0", "acme/watercolor@1.1.0")
CALLS = 20
"""Of each kind in one round."""
STEPS = 8
_PERCENTILES = (50, 95, 99)


def run(*, rounds: int) -> dict[str, list[float]]:
    """Return the seconds of every image, by what was drawn beside it."""
    measured: dict[str, list[float]] = {"alone": [], "beside": []}
    with tempfile.TemporaryDirectory(prefix="tabard-bench-") as name:
        folder = Path(name)
        command = (*TABARD_SERVE, "--set", f"cache={folder / 'cache'}")
        with running_server(folder, command=command) as address, Client(address) as client:
            _publish(client)
            _draw(client)
            for number in range(rounds):
                measured["alone"] += [_draw(client) for _ in range(CALLS)]
                with _Evaluating(address, folder=folder, number=number):
                    measured["beside"] += [_draw(client) for _ in range(CALLS)]
    return measured


def report(measured: dict[str, list[float]]) -> None:
    """Print percentiles, and what an evaluation adds."""
    print(f"\nimages of {STEPS} steps, one after another, seconds\n")
    print("| | " + " | ".join(f"p{one}" for one in _PERCENTILES) + " |")
    print("|---|" + "---|" * len(_PERCENTILES))
    found = {name: np.percentile(seconds, _PERCENTILES) for name, seconds in measured.items()}
    for name, title in (("alone", "nothing beside"), ("beside", "beside an evaluation")):
        print(f"| {title} | " + " | ".join(f"{one:.3f}" for one in found[name]) + " |")
    added = found["beside"] - found["alone"]
    print("| added | " + " | ".join(f"{one:+.3f}" for one in added) + " |")


class _Evaluating:
    """An evaluation that draws for the length of a block, with its first cell done before."""

    def __init__(self, address: str, *, folder: Path, number: int) -> None:
        self._address = address
        self._grid = folder / f"grid-{number}.json"
        # Seeds of its own: nothing of it was drawn before.
        self._grid.write_text(json.dumps(_grid(first_seed=1_000 * (number + 1))))
        self._begun, self._over = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="evaluation")
        self._cells = 0

    def __enter__(self) -> None:
        self._thread.start()
        assert self._begun.wait(120.0), "the evaluation did not begin"

    def __exit__(self, *_reason: object) -> None:
        was_over = not self._thread.is_alive()
        self._over.set()
        self._thread.join()
        assert not was_over, "the evaluation ended before the calls did"

    def _run(self) -> None:
        with Client(self._address) as client:
            evaluation = client.evaluate(REFS[1], grid=self._grid)
            for event in evaluation:
                if isinstance(event, EvaluationCell):
                    self._begun.set()
                if self._over.is_set():
                    break
            evaluation.close()


def _publish(client: Client) -> None:
    adapters = find_material() / "adapters"
    for ref in REFS:
        name, _, version = ref.partition("@")
        file = adapters / f"watercolor-{version}.safetensors"
        client.publish(name, file, version=version, trigger_words=["watercolor style"])
    client.promote(REFS[0])


def _draw(client: Client) -> float:
    begun_at = time.perf_counter()
    client.generate("a red circle", seed=7, num_inference_steps=STEPS)
    return time.perf_counter() - begun_at


def _grid(*, first_seed: int) -> dict[str, object]:
    return {
        "v": 1,
        "kind": "grid",
        "name": "bench",
        "prompts": [{"text": f"a red star, {{trigger}}, number {number}"} for number in range(60)],
        "seeds": list(range(first_seed, first_seed + 16)),
        "steps": 25,
        "width": 64,
        "height": 64,
        "guidance_scale": 7.5,
    }
