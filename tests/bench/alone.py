# SPDX-License-Identifier: Apache-2.0
"""The same pictures without Tabard: diffusers in this process, one image after the other.

It is given its best case: adapters are loaded once, switched by `set_adapters`, and no picture
crosses a network. Its other cost, loading a new file, is timed on its own.
"""

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from diffusers import DDIMScheduler, StableDiffusionPipeline

from tabard.cli.demo.catalog import DemoRelease
from tests.bench.workload import GUIDANCE_SCALE, STEPS, Picture

Clock = Callable[[], float]


class DiffusersLoop:
    """A pipeline of one's own that wears one adapter at a time."""

    def __init__(
        self,
        base: Path,
        *,
        releases: Sequence[DemoRelease],
        steps: int = STEPS,
        device: str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        """Load the base and every adapter."""
        self._steps = steps
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._pipe = StableDiffusionPipeline.from_pretrained(
                str(base), torch_dtype=dtype, safety_checker=None, local_files_only=True
            ).to(device)
        self._pipe.scheduler = DDIMScheduler.from_config(self._pipe.scheduler.config)
        self._pipe.set_progress_bar_config(disable=True)
        for release in releases:
            self._load(release.file, _slug(release.adapter))

    def draw(self, picture: Picture) -> None:
        """Switch to the picture's adapter and draw it."""
        self._pipe.set_adapters([_slug(picture.adapter)])
        self._pipe(
            picture.prompt,
            num_inference_steps=self._steps,
            guidance_scale=GUIDANCE_SCALE,
            generator=torch.Generator("cpu").manual_seed(picture.seed),
        )

    def crowd_seconds(self, pictures: Sequence[Picture], *, clock: Clock) -> float:
        """Return how long all pictures take, one after the other."""
        begun = clock()
        for picture in pictures:
            self.draw(picture)
        return clock() - begun

    def swap_seconds(self, release: DemoRelease, *, rounds: int, clock: Clock) -> list[float]:
        """Load the file as a new adapter and wait for its first image."""
        seconds = []
        for number in range(rounds):
            begun = clock()
            self._load(release.file, f"new{number}")
            self.draw(Picture(prompt=release.prompt, adapter=f"new{number}", seed=0))
            seconds.append(clock() - begun)
            self._pipe.set_adapters([_slug(release.adapter)])
            self._pipe.delete_adapters([f"new{number}"])
        return seconds

    def _load(self, file: Path, name: str) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._pipe.load_lora_weights(str(file), adapter_name=name)


def _slug(adapter: str) -> str:
    return adapter.replace("/", "_")
