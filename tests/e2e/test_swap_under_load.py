# SPDX-License-Identifier: Apache-2.0
"""Publish, promote and roll back while requests run: every image wears what its record says."""

import json
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from tabard import Client, GenerateResult, TabardError
from tests.e2e.conftest import RunningServer
from tests.oracle import Oracle, Pixels, Worn, largest_difference

PROMPT = "a red circle"
SEEDS = (3, 4, 5)
STEPS = 4
SIZE = 32
CALLERS = 6


@dataclass
class Traffic:
    """What the callers ask for, and what they saw."""

    name: str
    results: list[tuple[int, GenerateResult]] = field(default_factory=list)
    failures: list[TabardError] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def wait_for(self, more: int) -> None:
        """Wait until so many more requests are answered, or one failed."""
        enough = len(self.results) + more
        while len(self.results) < enough and not self.failures:
            self.stop.wait(0.01)


@pytest.mark.parametrize(
    ("name", "rounds", "requests_min"),
    [
        pytest.param("load/style", 12, 300, id="300-requests-24-moves"),
        pytest.param("soak/style", 150, 5_000, id="5000-requests", marks=pytest.mark.soak),
    ],
)
def test_swaps_under_load_wear_what_they_say(
    tiny_server: RunningServer,
    tiny_client: Client,
    tiny_oracle: Oracle,
    tiny_files: Mapping[str, Path],
    name: str,
    rounds: int,
    requests_min: int,
) -> None:
    """Through promotions and rollbacks: no failed request, no wrong image, no restart."""
    styles = [tiny_files[f"style{number}"] for number in range(4)]
    looks = {file: _looks(tiny_oracle, file) for file in styles}
    _assert_looks_differ(looks)
    file_of: dict[str, Path] = {}
    published = tiny_client.publish(name, styles[0], version="1.0.0")
    file_of[published.release.digest] = styles[0]
    tiny_client.promote(f"{name}@1.0.0", channel="stable")
    traffic = Traffic(name=name)

    with ThreadPoolExecutor(CALLERS) as callers:
        running = [callers.submit(_call, tiny_client, traffic, n) for n in range(CALLERS)]
        moves = _swap(tiny_client, traffic, rounds=rounds, styles=styles, file_of=file_of)
        while len(traffic.results) < requests_min and not traffic.failures:
            traffic.stop.wait(0.05)
        traffic.stop.set()
        for future in running:
            future.result()

    assert traffic.failures == []
    assert tiny_server.process.poll() is None
    assert moves == 2 * rounds
    assert len(traffic.results) >= requests_min
    worn = {_digest(result) for _, result in traffic.results}
    assert len({file_of[digest] for digest in worn}) > 1
    wrong = [
        (seed, _digest(result))
        for seed, result in traffic.results
        if largest_difference(_pixels(result), looks[file_of[_digest(result)]][seed]) > 1
    ]
    assert wrong == []


def _swap(
    client: Client,
    traffic: Traffic,
    *,
    rounds: int,
    styles: list[Path],
    file_of: dict[str, Path],
) -> int:
    """Publish, promote and roll back in turn; return how many times the channel moved."""
    moves = 0
    for number in range(1, rounds + 1):
        version, file = f"1.{number}.0", styles[1 + number % 3]
        published = client.publish(traffic.name, file, version=version)
        file_of[published.release.digest] = file
        moves += client.promote(f"{traffic.name}@{version}", channel="stable").moved
        traffic.wait_for(8)
        moves += client.rollback(traffic.name, reason="the colours drift").moved
        traffic.wait_for(8)
    return moves


def _call(client: Client, traffic: Traffic, number: int) -> None:
    turn = number
    while not traffic.stop.is_set():
        seed = SEEDS[turn % len(SEEDS)]
        turn += 1
        try:
            result = client.generate(
                PROMPT,
                adapters=[traffic.name],
                seed=seed,
                num_inference_steps=STEPS,
                guidance_scale=5.0,
                sampler="ddim",
                width=SIZE,
                height=SIZE,
            )
        except TabardError as error:
            traffic.failures.append(error)
            traffic.stop.set()
            return
        traffic.results.append((seed, result))


def _digest(result: GenerateResult) -> str:
    """The digest that the image itself records, which must be the one the job was admitted with."""
    image = result.images[0]
    recorded = json.loads(str(image.pil.info["tabard"]))["stack"][0]["digest"]
    assert recorded == result.worn[0].digest == image.provenance["stack"][0]["digest"]
    return str(recorded)


def _pixels(result: GenerateResult) -> Pixels:
    return np.asarray(result.images[0].pil.convert("RGB"))


def _looks(oracle: Oracle, file: Path) -> dict[int, Pixels]:
    options = {"steps": STEPS, "guidance_scale": 5.0, "width": SIZE, "height": SIZE}
    return {
        seed: oracle.draw(PROMPT, worn=[Worn(file=file)], seed=seed, **options) for seed in SEEDS
    }


def _assert_looks_differ(looks: Mapping[Path, Mapping[int, Pixels]]) -> None:
    """Any two files differ by far more than the tolerance, so a wrong image cannot pass."""
    files = list(looks)
    for seed in SEEDS:
        for number, left in enumerate(files):
            for right in files[number + 1 :]:
                assert largest_difference(looks[left][seed], looks[right][seed]) > 8
