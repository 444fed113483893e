# SPDX-License-Identifier: Apache-2.0
"""A learned encoder: pictures in, vectors of unit length out, a few pictures at a time.

In: a model as a function, and how it wants its pictures. It remembers nothing of what it saw.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from tabard_server.encoders.preprocessing import Planes, Preprocessing
from tabard_server.engine_port.errors import DeviceMemoryFull
from tabard_server.errors import NotEvaluable
from tabard_server.judgement.pictures.encoder import EncoderKind, Picture, Vectors

BATCH = 16
"""Pictures that a model sees at once: this bounds its memory, however many there are."""

_WHY_CHARS_MAX = 300

Model = Callable[[torch.Tensor], torch.Tensor]
"""From pictures x channels x height x width to pictures x numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnedEncoder:
    """A model that was trained to see what pictures have in common.

    Attributes:
        name: What reports call it.
        digest: The sha256 of weights, configuration and preparation, as hexadecimal.
        kind: What it sees.
        model: Computes the vectors.
        preprocessing: How pictures are prepared.
        device: Where the model is.
    """

    name: str
    digest: str
    kind: EncoderKind
    model: Model = field(repr=False)
    preprocessing: Preprocessing
    device: str
    is_learned: bool = True

    def embed(self, pictures: Sequence[Picture]) -> Vectors:
        """Give one vector of unit length for each picture.

        Raises:
            NotEvaluable: It gave NaN or Inf (ENCODER_NOT_FINITE), raised, or gave no row for each
                picture (ENCODER_FAILED).
            DeviceMemoryFull: A batch does not fit beside what the device holds.
        """
        found: list[Vectors] = []
        # Only neighbours of one size share a batch: a picture keeps its place.
        for _shape, alike in itertools.groupby(pictures, key=lambda picture: picture.shape):
            same = list(alike)
            for start in range(0, len(same), BATCH):
                batch = same[start : start + BATCH]
                found.append(self._embed([self.preprocessing.apply(one) for one in batch]))
        if len({one.shape[1] for one in found}) != 1:
            raise self._failed("its vectors have different lengths")
        vectors = np.concatenate(found)
        if not np.isfinite(vectors).all():
            raise NotEvaluable(
                f"the encoder {self.name!r} gives NaN or Inf for a picture",
                reason="ENCODER_NOT_FINITE",
                hint="the operator of the server can name another encoder, or none (encoders)",
            )
        length = np.linalg.norm(vectors, axis=-1, keepdims=True)
        unit: Vectors = (vectors / np.maximum(length, 1e-12)).astype(np.float32)
        return unit

    def _embed(self, planes: Sequence[Planes]) -> Vectors:
        try:
            with torch.inference_mode():
                given = torch.from_numpy(np.stack(planes)).to(self.device)
                vectors: Vectors = self.model(given).float().cpu().numpy()
        except torch.OutOfMemoryError as error:
            raise DeviceMemoryFull(
                f"the encoder {self.name!r} does not fit on {self.device} beside what is there",
                hint='give it device = "cpu" in the settings, or leave the base less memory',
            ) from error
        # A model may raise anything of a picture that it was not made for.
        except Exception as error:
            raise self._failed(f"{type(error).__name__}: {error}") from error
        if vectors.ndim != 2 or len(vectors) != len(planes):
            raise self._failed(
                f"of {len(planes)} pictures it makes numbers of the shape {vectors.shape}"
            )
        return vectors

    def _failed(self, why: str) -> NotEvaluable:
        return NotEvaluable(
            f"the encoder {self.name!r} fails on a picture: {why[:_WHY_CHARS_MAX]}",
            reason="ENCODER_FAILED",
            hint="the operator of the server can name another encoder, or none (encoders)",
        )
