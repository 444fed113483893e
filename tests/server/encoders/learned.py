# SPDX-License-Identifier: Apache-2.0
"""A learned encoder of three numbers: the mean of each channel."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tabard_server.judgement.pictures.encoder import EncoderKind, Picture, Vectors


@dataclass(frozen=True)
class Learned:
    """What says that it was trained."""

    kind: EncoderKind = EncoderKind.STYLE
    name: str = "mine"
    digest: str = "c" * 64
    is_learned: bool = True

    def embed(self, pictures: Sequence[Picture]) -> Vectors:
        """Give the means of each picture."""
        return np.stack([one.mean(axis=(0, 1)) for one in pictures]).astype(np.float32)
