# SPDX-License-Identifier: Apache-2.0
"""The oracle: diffusers and peft run alone, one request at a time, on the same base and files.

Where diffusers itself drops part of a file (alphas that differ between modules), `merged` builds
the reference by adding W + weight * alpha / rank * B A to a private copy of the base.
"""

import copy
import functools
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file
from torch.overrides import TorchFunctionMode

from tests.bases import kohya_stems, load_pipeline, text_encoders

_KARRAS = {"use_karras_sigmas": True}
_SDE = {"algorithm_type": "sde-dpmsolver++"}
SCHEDULERS: dict[str, tuple[str, dict[str, Any]]] = {
    "ddim": ("DDIMScheduler", {}),
    "pndm": ("PNDMScheduler", {}),
    "euler": ("EulerDiscreteScheduler", {}),
    "euler_karras": ("EulerDiscreteScheduler", _KARRAS),
    "euler_a": ("EulerAncestralDiscreteScheduler", {}),
    "heun": ("HeunDiscreteScheduler", {}),
    "heun_karras": ("HeunDiscreteScheduler", _KARRAS),
    "lms": ("LMSDiscreteScheduler", {}),
    "lms_karras": ("LMSDiscreteScheduler", _KARRAS),
    "dpm2": ("KDPM2DiscreteScheduler", {}),
    "dpm2_karras": ("KDPM2DiscreteScheduler", _KARRAS),
    "dpm2_a": ("KDPM2AncestralDiscreteScheduler", {}),
    "dpm2_a_karras": ("KDPM2AncestralDiscreteScheduler", _KARRAS),
    "dpmpp_2m": ("DPMSolverMultistepScheduler", {}),
    "dpmpp_2m_karras": ("DPMSolverMultistepScheduler", _KARRAS),
    "dpmpp_2m_sde": ("DPMSolverMultistepScheduler", _SDE),
    "dpmpp_2m_sde_karras": ("DPMSolverMultistepScheduler", {**_SDE, **_KARRAS}),
    "dpmpp_sde": ("DPMSolverSDEScheduler", {}),
    "dpmpp_sde_karras": ("DPMSolverSDEScheduler", _KARRAS),
    "unipc": ("UniPCMultistepScheduler", {}),
    "lcm": ("LCMScheduler", {}),
    "tcd": ("TCDScheduler", {}),
}
SCHEDULES: dict[str, dict[str, Any]] = {
    "normal": {"timestep_spacing": "linspace"},
    "karras": _KARRAS,
    "exponential": {"timestep_spacing": "linspace", "use_exponential_sigmas": True},
    "beta": {"timestep_spacing": "linspace", "use_beta_sigmas": True},
    "sgm_uniform": {"timestep_spacing": "trailing"},
    "simple": {"timestep_spacing": "trailing"},
    "ddim_uniform": {"timestep_spacing": "leading"},
}
"""What the schedules of UIs are in diffusers, by the table of its documentation."""


def scheduler_options(
    sampler: str, *, schedule: str = "", timestep_spacing: str = ""
) -> tuple[str, dict[str, Any]]:
    """Return the scheduler of a sampler, and all that its config says otherwise."""
    name, extra = SCHEDULERS[sampler]
    extra = {**extra, **SCHEDULES.get(schedule, {})}
    if timestep_spacing:
        extra |= {"timestep_spacing": timestep_spacing}
    return name, extra


_ROUND_AND_DRAW = {"FlowMatchEulerDiscreteScheduler"}
"""Schedulers whose noise is of the dtype that they have rounded latents to."""
Pixels = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]


@dataclass(frozen=True, kw_only=True)
class Worn:
    """One file as the oracle wears it, with one weight or one for each component."""

    file: Path
    weight: Any = 1.0
    token: str | None = None


class Oracle:
    """A private diffusers pipeline, brought back to the bare base after every picture."""

    def __init__(self, base: Path, *, dtype: torch.dtype = torch.float32) -> None:
        self.base = base
        self.pipe = load_pipeline(base, torch_dtype=dtype)
        self.pipe.set_progress_bar_config(disable=True)
        self._scheduler_config = dict(self.pipe.scheduler.config)

    def draw(self, prompt: str, *, worn: Sequence[Worn] = (), **options: Any) -> Pixels:
        """Draw one picture wearing these files through diffusers' own loaders."""
        with self._wearing(worn):
            return np.asarray(self._run(self.pipe, prompt, **options))

    def draw_latents(
        self, runs: Sequence[dict[str, Any]], *, worn: Sequence[Worn] = ()
    ) -> list[torch.Tensor]:
        """Return the last latents of runs in one stack, `[1, channels, h, w]`, before rounding."""
        with self._wearing(worn):
            return [self._run(self.pipe, output_type="latent", **run)[None] for run in runs]

    def draw_merged_latents(
        self, runs: Sequence[dict[str, Any]], *, worn: Sequence[Worn]
    ) -> list[torch.Tensor]:
        """Return the same on a copy of the base with kohya files added into its weights."""
        pipe = self._merged(worn)
        return [self._run(pipe, output_type="latent", **run)[None] for run in runs]

    def draw_merged(self, prompt: str, *, worn: Sequence[Worn], **options: Any) -> Pixels:
        """Draw one picture on a copy of the base with kohya files added into its weights."""
        return np.asarray(self._run(self._merged(worn), prompt, **options))

    def _merged(self, worn: Sequence[Worn]) -> Any:
        pipe = copy.copy(self.pipe)
        for name in ("unet", *text_encoders(self.pipe)):
            setattr(pipe, name, copy.deepcopy(getattr(self.pipe, name)))
        for item in worn:
            merge_kohya(pipe, item.file, weight=item.weight)
        return pipe

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
        image: Pixels | None = None,
        mask: Pixels | None = None,
        schedule: str = "",
        timestep_spacing: str = "",
        **options: Any,
    ) -> Any:
        name, extra = scheduler_options(
            sampler, schedule=schedule, timestep_spacing=timestep_spacing
        )
        if name == "DPMSolverSDEScheduler":
            extra = {**extra, "noise_sampler_seed": seed}
        if image is None:
            options |= {"width": width, "height": height}
        else:
            options["image"] = Image.fromarray(image)
            pipe = _repainting(pipe, has_mask=mask is not None)
        if mask is not None:
            options |= {"mask_image": Image.fromarray(mask), "width": width, "height": height}
        # Last, because diffusers' inpainting pipeline changes the config of the one it is given.
        pipe.scheduler = getattr(diffusers, name).from_config(self._scheduler_config, **extra)
        if image is None:
            _begin_at_the_first_step(pipe.scheduler)
        step_in_double_precision(pipe.scheduler)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return pipe(
                prompt,
                negative_prompt=negative_prompt or None,
                # A list of steps stands for their number.
                **({} if {"timesteps", "sigmas"} & {*options} else {"num_inference_steps": steps}),
                guidance_scale=guidance_scale,
                generator=torch.Generator("cpu").manual_seed(seed),
                **options,
            ).images[0]

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
        names = [n for n in self.pipe.components if n.startswith(("tokenizer", "text_encoder"))]
        kept = {name: getattr(self.pipe, name) for name in names}
        if inversions:
            for name in names:
                setattr(self.pipe, name, copy.deepcopy(kept[name]))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for item in inversions:
                self._load_inversion(item)
        try:
            yield
        finally:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                for name in names:
                    setattr(self.pipe, name, kept[name])
                if loras:
                    self.pipe.unload_lora_weights()

    def _load_inversion(self, item: Worn) -> None:
        tensors = load_file(str(item.file))
        if set(tensors) != {"clip_l", "clip_g"}:
            self.pipe.load_textual_inversion(str(item.file), token=item.token)
            return
        for key, suffix in (("clip_l", ""), ("clip_g", "_2")):
            self.pipe.load_textual_inversion(
                tensors[key],
                token=item.token,
                text_encoder=getattr(self.pipe, f"text_encoder{suffix}"),
                tokenizer=getattr(self.pipe, f"tokenizer{suffix}"),
            )


def _begin_at_the_first_step(scheduler: Any) -> None:
    """Lend diffusers what it lacks: it loses its place where two first timesteps are the same."""
    if hasattr(scheduler, "set_begin_index"):
        set_timesteps = scheduler.set_timesteps

        @functools.wraps(set_timesteps)
        def begun(*arguments: Any, **options: Any) -> None:
            set_timesteps(*arguments, **options)
            scheduler.set_begin_index(0)

        scheduler.set_timesteps = begun


def step_in_double_precision(scheduler: Any) -> None:
    """Lend diffusers what it lacks: some schedulers round float64 to float32 in every step.

    They mean to widen half precision. What is not float64 is stepped as it was; noise that they
    draw in the dtype of what they have rounded is drawn in float32, as they draw it.
    """
    step = scheduler.step
    noise_dtype = torch.float32 if type(scheduler).__name__ in _ROUND_AND_DRAW else None

    @functools.wraps(step)
    def exact(prediction: Any, timestep: Any, sample: Any, *more: Any, **options: Any) -> Any:
        if sample.dtype != torch.float64:
            return step(prediction, timestep, sample, *more, **options)
        with _Unrounded(noise_dtype):
            return step(prediction, timestep, sample, *more, **options)

    scheduler.step = exact


class _Unrounded(TorchFunctionMode):
    """Latents of float64 stay it, and noise is multiplied in it, in whichever dtype it is drawn."""

    def __init__(self, noise_dtype: torch.dtype | None) -> None:
        super().__init__()
        self._noise_dtype = noise_dtype

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        named = kwargs or {}
        if function is torch.randn:
            drawn = {"dtype": self._noise_dtype} if self._noise_dtype else {}
            return function(*args, **{**named, **drawn}).double()
        is_rounding = function is torch.Tensor.to and torch.float32 in (
            *args[1:],
            named.get("dtype"),
        )
        # Flux walks a sequence of patches.
        if is_rounding and args[0].ndim in (3, 4):
            return args[0]
        return function(*args, **named)


def _repainting(pipe: Any, *, has_mask: bool) -> Any:
    """Return the pipeline of the same parts that redraws a picture, or a hole in one."""
    kind = type(pipe).__name__.replace(
        "Pipeline", "InpaintPipeline" if has_mask else "Img2ImgPipeline"
    )
    extra = {} if "XL" in kind else {"requires_safety_checker": False}
    if "XL" in kind:
        extra |= {"add_watermarker": False}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = getattr(diffusers, kind)(**pipe.components, **extra)
    found.set_progress_bar_config(disable=True)
    return found


def merge_kohya(pipe: Any, file: Path, *, weight: float) -> None:
    """Add a kohya LoRA into a pipeline's weights, each module with its own alpha / rank."""
    tensors = load_file(str(file))
    homes = dict(kohya_stems(pipe))
    for key, down in tensors.items():
        if not key.endswith(".lora_down.weight"):
            continue
        stem = key.removesuffix(".lora_down.weight")
        up = tensors[f"{stem}.lora_up.weight"].double().flatten(1)
        alpha = float(tensors[f"{stem}.alpha"])
        delta = up @ down.double().flatten(1) * (weight * alpha / down.shape[0])
        target: Any = homes[stem].weight
        target.data = (target.data.double() + delta.view(target.shape)).to(target.dtype)


def largest_difference(left: Pixels, right: Pixels) -> int:
    """Return the largest difference of any channel of any pixel, in steps of 1/255."""
    assert left.shape == right.shape
    return int(np.abs(left.astype(np.int16) - right.astype(np.int16)).max())


def mean_difference(left: Pixels, right: Pixels) -> float:
    """Return the mean difference over all channels, in steps of 1/255."""
    return float(np.abs(left.astype(np.int16) - right.astype(np.int16)).mean())
