# SPDX-License-Identifier: Apache-2.0
"""A tiny base with a transformer in float64: an engine, diffusers alone, and files for both.

diffusers draws with weights that were added into a copy of the base, and with peft for what it
reads itself; each run by the pipeline of the base's kind.
"""

import copy
import functools
import inspect
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import diffusers
import torch
from PIL import Image
from torch.overrides import TorchFunctionMode

from tabard_registry import IntakeLimits
from tabard_server.adapters.host_adapter import HostAdapter
from tabard_server.engine.engine import Engine
from tabard_server.engine.load_engine import EngineSettings, load_engine
from tabard_server.engine_port.row_spec import RowSpec
from tabard_server.engine_port.weights.strength import Weight
from tests.bases import load_pipeline, make_tiny_base, write_diffusers_lora
from tests.oracle import step_in_double_precision
from tests.server.adapters.packing import pack_file
from tests.server.drawings import row_spec
from tests.server.engine.sampling.flows.known_flows import THEIRS, their_scheduler
from tests.server.engine.transformers.fused_files import (
    Dense,
    write_differences,
    write_fused_lora,
)
from tests.server.engine.transformers.kinds import (
    KINDS,
    change_weights,
    teach,
    tokens_of,
    write_kind,
    write_norms_and_biases,
    write_word,
)
from tests.writers import write_peft_lora

FAMILIES = ("sd3", "flux")
_SEQUENCE = 3
"""Dimensions of a batch of sequences."""
PROMPT = "a red circle"
TOKEN = "<plum>"
"""What `word` teaches."""
_RANK_MAX = 8
"""Layers of this width would take a product of two whole halves in slots: not above this rank."""
SIZE = (64, 48)
_LAYERS = ("attn.to_q", "attn.to_out.0", "ff.net.0.proj", "norm1.linear", "x_embedder", "proj_out")


@dataclass(frozen=True, kw_only=True)
class TransformerStudio:
    """What one family's tests need.

    Attributes:
        family: `sd3` or `flux`.
        engine: In float64.
        base: Its folder.
        files: By name; those that add dense weights, and those that diffusers reads.
        adapters: The same, as the engine wears them.
    """

    family: str
    engine: Engine
    base: Path
    files: Mapping[str, Dense]
    adapters: Mapping[str, HostAdapter]

    def spec(self, stack: Mapping[str, Weight], **changes: Any) -> RowSpec:
        """Return a row that wears these adapters."""
        worn = tuple((self.adapters[name], weight) for name, weight in stack.items())
        values: dict[str, Any] = {
            "prompt": PROMPT,
            "steps": 4,
            "sampler": "euler",
            "width": SIZE[0],
            "height": SIZE[1],
            "guidance": self.engine.facts.guidance,
            "guidance_scale": 4.0,
        }
        if self.engine.facts.guidance == "classifier_free":
            values["negative_prompt"] = "blue"
        return row_spec(stack=worn, **values | changes)

    def expect(self, stack: Mapping[str, float], spec: RowSpec) -> torch.Tensor:
        """Return the latents that diffusers alone comes to, `[1, channels, h, w]`."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return self.run(self.dressed(stack), spec)

    def dressed(self, stack: Mapping[str, float]) -> Any:
        """Return diffusers' pipeline in float64 with a stack put on."""
        pipe = load_pipeline(self.base, torch_dtype=torch.float64)
        pipe.set_progress_bar_config(disable=True)
        bare = load_pipeline(self.base, torch_dtype=torch.float64)
        for name, weight in stack.items():
            change_weights(pipe, bare, self.files[name], weight=weight)
            teach(pipe, self.files[name], token=TOKEN)
        read = [name for name in stack if self.files[name].is_read_by_diffusers]
        for name in read:
            pipe.load_lora_weights(str(self.files[name].file), adapter_name=name)
        if read:
            pipe.set_adapters(read, adapter_weights=[stack[name] for name in read])
        return pipe

    def run(self, pipe: Any, spec: RowSpec) -> torch.Tensor:
        """Return the latents that a pipeline comes to, `[1, channels, h, w]`."""
        drawing, config = spec.drawing, dict(pipe.scheduler.config)
        options: dict[str, Any] = {"width": drawing.width, "height": drawing.height}
        options |= _prompts(pipe, drawing.prompt, family=self.family)
        if self.family == "sd3":
            options["negative_prompt"] = drawing.negative_prompt or None
        if drawing.picture is not None:
            pipe = _repainting(pipe, has_mask=drawing.picture.mask is not None)
            options |= {
                "image": Image.fromarray(drawing.picture.pixels),
                "strength": drawing.strength,
            }
            if drawing.picture.mask is not None:
                options["mask_image"] = Image.fromarray(drawing.picture.mask)
        if (skipped := drawing.skipped) is not None:
            options |= {
                "skip_guidance_layers": list(skipped.layers),
                "skip_layer_guidance_scale": skipped.scale,
                "skip_layer_guidance_start": skipped.start,
                "skip_layer_guidance_stop": skipped.stop,
            }
        if drawing.clip_skip:
            options["clip_skip"] = drawing.clip_skip
        if THEIRS[drawing.sampler][0] != type(pipe.scheduler).__name__ or "_" in drawing.sampler:
            pipe.scheduler = their_scheduler(config, drawing.sampler)
        generator = torch.Generator("cpu").manual_seed(spec.seed)
        factor = pipe.vae_scale_factor
        latents_size = drawing.width // factor, drawing.height // factor
        _draw_noise_from(generator, pipe.scheduler, size=latents_size)
        step_in_double_precision(pipe.scheduler)
        found = pipe(
            num_inference_steps=drawing.steps,
            guidance_scale=drawing.guidance_scale,
            generator=generator,
            output_type="latent",
            **options,
        ).images
        if self.family == "flux":
            found = pipe._unpack_latents(
                found, drawing.height, drawing.width, pipe.vae_scale_factor
            )
        latents: torch.Tensor = found
        return latents


def open_transformer_studio(folder: Path, *, family: str) -> TransformerStudio:
    """Make a base, its adapters and an engine."""
    base = make_tiny_base(folder / "base", family=family)
    files = _write_files(base, folder, family=family)
    engine = load_engine(EngineSettings(base=str(base), device="cpu", dtype="float64"))
    adapters = {
        name: pack_file(
            one.file,
            profile=engine.profile,
            folder=folder,
            dtype=torch.float64,
            trigger_words=[TOKEN] if one.taught else (),
            limits=IntakeLimits(rank_max=_RANK_MAX) if name == "whole_lokr" else None,
        )
        for name, one in files.items()
    }
    return TransformerStudio(
        family=family, engine=engine, base=base, files=files, adapters=adapters
    )


def _write_files(base: Path, folder: Path, *, family: str) -> dict[str, Dense]:
    pipe = load_pipeline(base)
    lora = write_diffusers_lora(
        base, folder / "lora.safetensors", seed=1, targets=_LAYERS, text_targets=("q_proj",)
    )
    files = {
        name: folder / f"{name}.safetensors"
        for name in ("fused", "whole", "norms_and_biases", "word", *KINDS)
    }
    dora = write_peft_lora(
        base, folder / "peft_dora.safetensors", seed=11, targets=_LAYERS, text_targets=()
    )
    return {
        "lora": Dense(file=lora),
        "peft_dora": Dense(file=dora),
        "fused": write_fused_lora(pipe, files["fused"], family=family, seed=2),
        "whole": write_differences(pipe, files["whole"], family=family, seed=3),
        "norms_and_biases": write_norms_and_biases(
            pipe, files["norms_and_biases"], family=family, seed=4
        ),
        "word": write_word(files["word"], token=TOKEN, family=family, seed=5),
        **{
            kind: write_kind(pipe, files[kind], kind=kind, family=family, seed=number)
            for number, kind in enumerate(KINDS, start=6)
        },
    }


def _prompts(pipe: Any, prompt: str, *, family: str) -> dict[str, str]:
    """Return a prompt for each encoder: a CLIP reads the tokens of a word, a T5 the word itself.

    Flux's pipeline spells words out by itself.
    """
    count = sum(token.startswith(TOKEN) for token in pipe.tokenizer.get_added_vocab())
    if family == "flux" or not count:
        return {"prompt": prompt}
    spelt = prompt.replace(TOKEN, " ".join(tokens_of(TOKEN, count=count)))
    return {"prompt": spelt, "prompt_2": spelt, "prompt_3": prompt}


def _draw_noise_from(generator: torch.Generator, scheduler: Any, *, size: tuple[int, int]) -> None:
    """Lend diffusers what it lacks: these pipelines do not tell their schedulers whose noise it is.

    Without a generator, noise of a step would be that of the whole process.
    """
    step = scheduler.step
    if "generator" not in inspect.signature(step).parameters:
        return

    @functools.wraps(step)
    def drawn(*arguments: Any, **options: Any) -> Any:
        with _NoiseOfLatents(size):
            return step(*arguments, generator=generator, **options)

    scheduler.step = drawn


class _NoiseOfLatents(TorchFunctionMode):
    """Noise of a sequence of patches is that of the latents, as at the beginning of a walk."""

    def __init__(self, size: tuple[int, int]) -> None:
        super().__init__()
        self._size = size

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        named = kwargs or {}
        if function is not torch.randn or len(args[0]) != _SEQUENCE:
            return function(*args, **named)
        samples, _, channels = args[0]
        width, height = self._size
        found = torch.randn((samples, channels // 4, height, width), **named)
        packed: torch.Tensor = diffusers.FluxPipeline._pack_latents(
            found, samples, channels // 4, height, width
        )
        return packed


def _repainting(pipe: Any, *, has_mask: bool) -> Any:
    kind = type(pipe).__name__.replace(
        "Pipeline", "InpaintPipeline" if has_mask else "Img2ImgPipeline"
    )
    found = getattr(diffusers, kind)(**copy.copy(pipe.components))
    found.set_progress_bar_config(disable=True)
    return found
