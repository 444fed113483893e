# SPDX-License-Identifier: Apache-2.0
"""The oracle: diffusers and peft run alone, one request at a time, on the same base and files.

Where diffusers itself drops part of a file (alphas that differ between modules), `merged` builds
the reference by adding W + weight * alpha / rank * B A to a private copy of the base.
"""

import copy
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import torch
from diffusers import StableDiffusionPipeline
from safetensors.torch import load_file

SCHEDULERS: dict[str, tuple[str, dict[str, Any]]] = {
    "ddim": ("DDIMScheduler", {}),
    "pndm": ("PNDMScheduler", {}),
    "euler": ("EulerDiscreteScheduler", {}),
    "euler_a": ("EulerAncestralDiscreteScheduler", {}),
    "heun": ("HeunDiscreteScheduler", {}),
    "lms": ("LMSDiscreteScheduler", {}),
    "dpmpp_2m": ("DPMSolverMultistepScheduler", {}),
    "dpmpp_2m_karras": ("DPMSolverMultistepScheduler", {"use_karras_sigmas": True}),
    "unipc": ("UniPCMultistepScheduler", {}),
}

Pixels = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]


@dataclass(frozen=True, kw_only=True)
class Worn:
    """One file as the oracle wears it."""

    file: Path
    weight: float = 1.0
    token: str | None = None


class Oracle:
    """A private diffusers pipeline, brought back to the bare base after every picture."""

    def __init__(self, base: Path, *, dtype: torch.dtype = torch.float32) -> None:
        self.base = base
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.pipe = StableDiffusionPipeline.from_pretrained(
                str(base), torch_dtype=dtype, safety_checker=None, local_files_only=True
            )
        self.pipe.set_progress_bar_config(disable=True)
        self._scheduler_config = dict(self.pipe.scheduler.config)

    def draw(self, prompt: str, *, worn: Sequence[Worn] = (), **options: Any) -> Pixels:
        """Draw one picture wearing these files through diffusers' own loaders."""
        with self._wearing(worn):
            return self._run(self.pipe, prompt, **options)

    def draw_merged(self, prompt: str, *, worn: Sequence[Worn], **options: Any) -> Pixels:
        """Draw one picture on a copy of the base with kohya files added into its weights."""
        pipe = copy.copy(self.pipe)
        pipe.unet = copy.deepcopy(self.pipe.unet)
        pipe.text_encoder = copy.deepcopy(self.pipe.text_encoder)
        for item in worn:
            merge_kohya(pipe, item.file, weight=item.weight)
        return self._run(pipe, prompt, **options)

    def _run(
        self,
        pipe: Any,
        prompt: str,
        *,
        seed: int,
        steps: int,
        sampler: str = "ddim",
        guidance_scale: float = 5.0,
        negative_prompt: str = "",
        width: int = 64,
        height: int = 64,
    ) -> Pixels:
        name, extra = SCHEDULERS[sampler]
        pipe.scheduler = getattr(diffusers, name).from_config(self._scheduler_config, **extra)
        image = pipe(
            prompt,
            negative_prompt=negative_prompt,
            num_inference_steps=steps,
            guidance_scale=guidance_scale,
            width=width,
            height=height,
            generator=torch.Generator("cpu").manual_seed(seed),
        ).images[0]
        return np.asarray(image)

    @contextmanager
    def _wearing(self, worn: Sequence[Worn]) -> Iterator[None]:
        loras = [item for item in worn if item.token is None]
        inversions = [item for item in worn if item.token is not None]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for number, item in enumerate(loras):
                self.pipe.load_lora_weights(str(item.file), adapter_name=f"a{number}")
            if loras:
                names = [f"a{number}" for number in range(len(loras))]
                self.pipe.set_adapters(names, adapter_weights=[item.weight for item in loras])
        kept = self.pipe.tokenizer, self.pipe.text_encoder
        if inversions:
            self.pipe.tokenizer, self.pipe.text_encoder = copy.deepcopy(kept)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for item in inversions:
                self.pipe.load_textual_inversion(str(item.file), token=item.token)
        try:
            yield
        finally:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self.pipe.tokenizer, self.pipe.text_encoder = kept
                if loras:
                    self.pipe.unload_lora_weights()


def merge_kohya(pipe: Any, file: Path, *, weight: float) -> None:
    """Add a kohya LoRA into a pipeline's weights, each module with its own alpha / rank."""
    tensors = load_file(str(file))
    homes = {f"lora_unet_{n.replace('.', '_')}": m for n, m in pipe.unet.named_modules()}
    for name, module in pipe.text_encoder.named_modules():
        homes[f"lora_te_text_model_{name.removeprefix('text_model.').replace('.', '_')}"] = module
    for key, down in tensors.items():
        if not key.endswith(".lora_down.weight"):
            continue
        stem = key.removesuffix(".lora_down.weight")
        up = tensors[f"{stem}.lora_up.weight"].double().flatten(1)
        alpha = float(tensors[f"{stem}.alpha"])
        delta = up @ down.double().flatten(1) * (weight * alpha / down.shape[0])
        target = homes[stem].weight
        target.data = (target.data.double() + delta.view(target.shape)).to(target.dtype)


def largest_difference(left: Pixels, right: Pixels) -> int:
    """Return the largest difference of any channel of any pixel, in steps of 1/255."""
    assert left.shape == right.shape
    return int(np.abs(left.astype(np.int16) - right.astype(np.int16)).max())


def mean_difference(left: Pixels, right: Pixels) -> float:
    """Return the mean difference over all channels, in steps of 1/255."""
    return float(np.abs(left.astype(np.int16) - right.astype(np.int16)).mean())
