# SPDX-License-Identifier: Apache-2.0
"""The seam of the encoders: pictures in, vectors out. Learned ones plug in beside the fallback."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol

import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]
"""Height x width x 3, sRGB."""
Vectors = npt.NDArray[np.float32]
"""One row for each picture."""


class EncoderKind(StrEnum):
    """What an encoder sees, and so what its similarities may be taken for."""

    STYLE = "style"
    SUBJECT = "subject"
    COPY = "copy"
    """Whether two pictures are nearly the same."""


class Encoder(Protocol):
    """What turns pictures into vectors that are compared by their angle.

    Scores of encoders whose digests differ are never compared.
    """

    @property
    def name(self) -> str:
        """What people know it by."""
        ...

    @property
    def digest(self) -> str:
        """The sha256 of all that its vectors depend on, as hexadecimal."""
        ...

    @property
    def kind(self) -> EncoderKind:
        """What it sees."""
        ...

    @property
    def is_learned(self) -> bool:
        """Whether it was trained: only then may a gate trust it about a subject."""
        ...

    def embed(self, pictures: Sequence[Picture]) -> Vectors:
        """Give one vector for each picture; the sizes of the pictures may differ."""
        ...
