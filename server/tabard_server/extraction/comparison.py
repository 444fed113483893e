# SPDX-License-Identifier: Apache-2.0
"""Pictures of the base wearing the file, beside pictures of the tuned model itself.

The first through the engine, the second through plain diffusers, one after another, so that two
models never lie in memory together. In: what to draw. Out: how far the pictures are apart.
"""

import gc
import itertools
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import torch

from tabard_registry import BaseProfile
from tabard_server.engine.base.loading import Base
from tabard_server.engine.base.pipeline import open_pipeline
from tabard_server.engine.base.schedules.schedule import Asked, is_flow
from tabard_server.engine.engine import Engine
from tabard_server.engine.networks.network import Network
from tabard_server.engine_port.drawing import Drawing, Pixels
from tabard_server.engine_port.errors import EngineError
from tabard_server.engine_port.row_spec import RowSpec
from tabard_server.engine_port.samplers import default_sampler
from tabard_server.extraction.outcome import PictureError
from tabard_server.extraction.parameters import parameters_of
from tabard_server.extraction.settings import ComparisonSettings, ExtractionSettings
from tabard_server.extraction.survey import OnProgress
from tabard_server.extraction.wearing import add_into

_SLOT_RANKS = 1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Drawn:
    pixels: Pixels
    latents: torch.Tensor


def compare(
    base: Base,
    *,
    file: Path,
    tuned: Path,
    config: str | None,
    asked: Asked,
    profile: BaseProfile,
    settings: ExtractionSettings,
    progress: OnProgress,
) -> tuple[PictureError, ...]:
    """Draw everything, and measure; nothing without settings of a comparison.

    The base is worn out after it: its weights are gone.

    Args:
        base: What the model was tuned from.
        file: The adapter.
        tuned: Folder or file of the tuned model.
        config: Where the configs of a single file are; None: diffusers' own.
        asked: What the caller says of base and tuned model, against their own words.
        profile: That of the base.
        settings: What is drawn, and where.
        progress: Told of every picture.

    Raises:
        BaseNotLoadable: The tuned model cannot be loaded as a pipeline.
        RowNotFinite: A picture of the adapter became NaN.
    """
    if settings.comparison is None:
        return ()
    specs = _specs(settings.comparison, base=base)
    numbers = itertools.count()

    def tell() -> None:
        progress("drawing", next(numbers), 3 * len(specs))

    schedule = base.scheduler_config
    engine = Engine(
        base,
        device=torch.device(settings.device),
        dtype=torch.float32,
        slot_rank_total=_SLOT_RANKS,
        # The base is changed under it: a text is encoded for each picture.
        text_bytes_max=0,
    )
    bare = [_draw_worn(engine, spec, tell) for spec in specs]
    # The engine may have moved its weights.
    add_into(parameters_of(base, profile=profile), file=file)
    worn = [_draw_worn(engine, spec, tell) for spec in specs]
    del engine
    _empty(base)
    pipe = _load_tuned(tuned, config=config, asked=asked, schedule=schedule, device=settings.device)
    real = [
        _draw_alone(pipe, spec, tell, like=one, network=base.network)
        for spec, one in zip(specs, bare, strict=True)
    ]
    return tuple(
        _error(spec, worn=w, bare=b, real=r)
        for spec, w, b, r in zip(specs, worn, bare, real, strict=True)
    )


def _specs(settings: ComparisonSettings, *, base: Base) -> list[RowSpec]:
    pixels = settings.pixels or base.native_pixels
    sampler = default_sampler("", prediction=base.prediction)
    return [
        RowSpec(
            drawing=Drawing(
                prompt=prompt,
                steps=settings.steps,
                guidance_scale=settings.guidance_scale,
                width=pixels,
                height=pixels,
                guidance=base.network.guidance,
                sampler=sampler,
            ),
            seed=settings.seed + number,
        )
        for number, prompt in enumerate(settings.prompts)
    ]


def _draw_worn(engine: Engine, spec: RowSpec, tell: Callable[[], None]) -> _Drawn:
    tell()
    (row,) = engine.open_rows([spec])
    if isinstance(row, EngineError):
        raise row
    while not row.is_done:
        engine.step([row])
    if row.failure is not None:
        raise row.failure
    drawn = _Drawn(pixels=engine.decode(row).pixels(), latents=row.latents.cpu())
    engine.close_row(row)
    return drawn


def _load_tuned(
    path: Path, *, config: str | None, asked: Asked, schedule: dict[str, Any], device: str
) -> Any:
    pipe = open_pipeline(path, config=config, asked=asked, dtype=torch.float32).pipeline()
    # One schedule on both sides: the weights are compared, not the samplers.
    kind = type(pipe.scheduler) if is_flow(schedule) else diffusers.DDIMScheduler
    pipe.scheduler = kind.from_config(schedule)
    pipe.set_progress_bar_config(disable=True)
    pipe.to(device)
    return pipe


def _draw_alone(
    pipe: Any, spec: RowSpec, tell: Callable[[], None], *, like: _Drawn, network: Network
) -> _Drawn:
    tell()
    kept: list[torch.Tensor] = []
    drawing = spec.drawing

    def keep(_pipe: Any, _step: int, _time: Any, values: dict[str, Any]) -> dict[str, Any]:
        kept[:] = [values["latents"]]
        return values

    with warnings.catch_warnings(action="ignore"):
        image = pipe(
            drawing.prompt,
            num_inference_steps=drawing.steps,
            guidance_scale=drawing.guidance_scale,
            width=drawing.width,
            height=drawing.height,
            generator=torch.Generator("cpu").manual_seed(spec.seed),
            callback_on_step_end=keep,
            callback_on_step_end_tensor_inputs=["latents"],
        ).images[0]
    latents = network.unpacked(kept[0].cpu(), shape=like.latents.shape)
    return _Drawn(pixels=np.asarray(image), latents=latents)


def _error(spec: RowSpec, *, worn: _Drawn, bare: _Drawn, real: _Drawn) -> PictureError:
    apart = np.abs(worn.pixels.astype(np.int16) - real.pixels.astype(np.int16))
    without = np.abs(bare.pixels.astype(np.int16) - real.pixels.astype(np.int16))
    return PictureError(
        prompt=spec.drawing.prompt,
        seed=spec.seed,
        pixel_max=int(apart.max()),
        pixel_mean=float(apart.mean()),
        latent_error=_apart(worn.latents, real.latents),
        base_pixel_mean=float(without.mean()),
        base_latent_error=_apart(bare.latents, real.latents),
    )


def _apart(one: torch.Tensor, other: torch.Tensor) -> float:
    lengths = [float(torch.linalg.vector_norm(x.double())) for x in (one - other, other)]
    return lengths[0] / lengths[1] if lengths[1] else float("inf")


def _empty(base: Base) -> None:
    """Give the base's memory back, whoever still knows the object."""
    for model in base.models.values():
        for weight in model.parameters():
            weight.data = torch.empty(0)
    gc.collect()
