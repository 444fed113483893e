# SPDX-License-Identifier: Apache-2.0
"""Loads learned encoders, and tries each once: a server that starts has encoders that work.

In: the settings of encoders. Out: encoders, or a refusal that says what to do.
"""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from transformers import CLIPVisionModelWithProjection, Dinov2Model

from tabard_server.encoders.files import EncoderFiles, find_encoder, refused
from tabard_server.encoders.learned import LearnedEncoder, Model
from tabard_server.encoders.settings import EncoderSettings
from tabard_server.engine_port.errors import DeviceMemoryFull
from tabard_server.errors import NotEvaluable
from tabard_server.judgement.pictures.encoder import EncoderKind, Vectors

_CLASSES = {
    "clip": (CLIPVisionModelWithProjection, "image_embeds"),
    "dinov2": (Dinov2Model, "pooler_output"),
}
"""What is loaded, and which of its outputs stands for a picture."""
_PROBE_SIDE = 64
_DISTANCE_MIN = 1e-6


def load_encoders(
    encoders: Sequence[EncoderSettings], *, engine_device: str, bytes_max: int
) -> tuple[LearnedEncoder, ...]:
    """Load encoders, in their order.

    Raises:
        BadSettings: One cannot be loaded, or gives no vectors that could be compared.
    """
    return tuple(_load(one, engine_device=engine_device, bytes_max=bytes_max) for one in encoders)


def _load(encoder: EncoderSettings, *, engine_device: str, bytes_max: int) -> LearnedEncoder:
    files = find_encoder(encoder, bytes_max=bytes_max)
    device = engine_device if encoder.device == "engine" else "cpu"
    try:
        model = _script(files, device) if files.format == "torchscript" else _model(files, device)
    # The libraries raise what they like of files that are cut off, or of another model.
    except Exception as error:
        raise refused(
            encoder,
            f"it cannot be loaded: {_first_line(error)}",
            reason="ENCODER_UNREADABLE",
            hint="copy its files again, or name another model",
        ) from error
    loaded = LearnedEncoder(
        name=encoder.name,
        digest=files.digest(),
        kind=EncoderKind(encoder.kind),
        model=model,
        preprocessing=files.preprocessing,
        device=device,
    )
    _try(encoder, loaded)
    return loaded


def _model(files: EncoderFiles, device: str) -> Model:
    kind, output = _CLASSES[files.format]
    # Of a whole CLIP only the half that sees is loaded.
    found: Any
    sizes = {one: files.config[one] for one in ("projection_dim",) if one in files.config}
    found, said = kind.from_pretrained(
        str(files.path),
        **sizes,
        dtype=torch.float32,
        local_files_only=True,
        use_safetensors=True,
        output_loading_info=True,
    )
    if lacking := sorted([*said["missing_keys"], *map(str, said["mismatched_keys"])]):
        raise ValueError(f"{len(lacking)} weights are missing or of another shape: {lacking[0]}")
    found = found.eval().requires_grad_(False).to(device)

    def run(pictures: torch.Tensor) -> torch.Tensor:
        vectors: torch.Tensor = getattr(found(pixel_values=pictures), output)
        return vectors

    return run


def _script(files: EncoderFiles, device: str) -> Model:
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        found = torch.jit.load(str(files.path), map_location=device)  # type: ignore[no-untyped-call]
    found = found.eval().float()

    def run(pictures: torch.Tensor) -> torch.Tensor:
        vectors: torch.Tensor = found(pictures)
        return vectors

    return run


def _try(encoder: EncoderSettings, loaded: LearnedEncoder) -> None:
    """See that two pictures get two vectors: of numbers, and not the same."""
    rng = np.random.Generator(np.random.PCG64(1))
    noise = rng.integers(0, 256, (_PROBE_SIDE, _PROBE_SIDE, 3), dtype=np.uint8)
    ramp = np.broadcast_to(
        np.arange(_PROBE_SIDE, dtype=np.uint8)[:, np.newaxis, np.newaxis] * 4, noise.shape
    )
    hint = "name a model that gives one vector for each picture"
    try:
        vectors: Vectors = loaded.embed([noise, np.ascontiguousarray(ramp)])
    except NotEvaluable as error:
        is_number = error.reason == "ENCODER_NOT_FINITE"
        reason = error.reason if is_number else "ENCODER_UNSUITABLE"
        raise refused(encoder, str(error), reason=reason, hint=hint) from error
    except DeviceMemoryFull as error:
        raise refused(encoder, str(error), reason=error.reason, hint=error.hint) from error
    if vectors.shape[1] < 2:
        what = f"of two pictures it makes numbers of the shape {vectors.shape}"
        raise refused(encoder, what, reason="ENCODER_UNSUITABLE", hint=hint)
    if float(np.abs(vectors[0] - vectors[1]).max()) < _DISTANCE_MIN:
        what = "two different pictures get the same vector"
        raise refused(encoder, what, reason="ENCODER_UNSUITABLE", hint=hint)


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__
