# SPDX-License-Identifier: Apache-2.0
"""The styles of a soak: files, release lines that hold them, and how each looks in diffusers."""

from __future__ import annotations

import itertools
import random
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tabard import Client
from tests.bases import write_diffusers_lora
from tests.oracle import Oracle, Pixels, Worn, largest_difference

LINES = 12
FILES = 16
SEEDS = (3, 4, 5)
SIZE = 32
STEPS = 4
APART = ":te=0.3:unet=0.8"
"""Behind the name of a style: its weights apart."""
_WEIGHTS: Mapping[str, Any] = {"": 1.0, APART: {"text_encoder": 0.3, "unet": 0.8}}


class Wardrobe:
    """Release lines whose releases hold one of some files. Threads may share it."""

    def __init__(self, base: Path, folder: Path) -> None:
        """Write the files, and draw each in diffusers alone."""
        self._files = [
            write_diffusers_lora(
                base, folder / f"style{n}.safetensors", seed=n, text_targets=("q_proj",)
            )
            for n in range(FILES)
        ]
        oracle = Oracle(base)
        self._looks = [_looks(oracle, file) for file in self._files]
        self._file_of: dict[str, int] = {}
        self._counters = {name: itertools.count(1) for name in self.names}
        self._lock = threading.Lock()

    @property
    def names(self) -> Sequence[str]:
        """Names of the lines."""
        return [f"soak/style-{number}" for number in range(LINES)]

    def name(self, rng: random.Random) -> str:
        """Choose a line."""
        return rng.choice(self.names)

    def fill(self, client: Client) -> None:
        """Publish and promote a first release of each line."""
        for number, name in enumerate(self.names):
            self._publish(client, name, file=number)
            client.promote(f"{name}@1.0.0", channel="stable")

    def publish(self, client: Client, rng: random.Random) -> None:
        """Publish another release of some line."""
        self._publish(client, self.name(rng), file=rng.randrange(FILES))

    def promote(self, client: Client, rng: random.Random) -> str:
        """Move a channel to some release of some line; return the line."""
        name = self.name(rng)
        release = rng.choice(client.get(name).releases)
        client.promote(f"{name}@{release.version}", channel="stable")
        return name

    def roll_back(self, client: Client, name: str) -> None:
        """Move it back, if it was moved."""
        client.rollback(name, reason="soak")

    def difference(self, digest: str, *, seed: int, said: str, pixels: Pixels) -> int:
        """Compare an image with what diffusers drew of the file that a release holds."""
        return largest_difference(pixels, self._looks[self._file_of[digest]][seed, said])

    def _publish(self, client: Client, name: str, *, file: int) -> None:
        with self._lock:
            version = f"1.{next(self._counters[name]) - 1}.0"
        published = client.publish(name, self._files[file], version=version)
        self._file_of[published.release.digest] = file


def _looks(oracle: Oracle, file: Path) -> dict[tuple[int, str], Pixels]:
    options = {"steps": STEPS, "guidance_scale": 5.0, "width": SIZE, "height": SIZE}
    return {
        (seed, said): oracle.draw(
            "a red circle", worn=[Worn(file=file, weight=weight)], seed=seed, **options
        )
        for seed in SEEDS
        for said, weight in _WEIGHTS.items()
    }
