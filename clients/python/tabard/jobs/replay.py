# SPDX-License-Identifier: Apache-2.0
"""What came of making an image again: how equal it is, and what differs from then.

Plain frozen values; they know nothing of protobuf or the network.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tabard.errors import TabardError
from tabard.pictures.difference import PixelDifference
from tabard.result import GeneratedImage

SAME_FILE = "same_file"
SAME_PIXELS = "same_pixels"
CLOSE = "close"
DIFFERENT = "different"
NOT_DRAWN = "not_drawn"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayDifference:
    """Something that the two images say differently of how they were made.

    Attributes:
        name: Where it stands in the provenance, like `base.fingerprint` or `versions.torch`.
        then: What the image says, as JSON; empty: nothing.
        now: What the new image says, or the server; empty: nothing.
    """

    name: str
    then: str
    now: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """An image that was made again from its provenance.

    Attributes:
        outcome: `same_file`: equal to the byte. `same_pixels`: only what the file says of itself
            differs. `close`: no pixel differs by more than 1 of 255, which is what a batch may do
            to an image that was not `deterministic`. `different`. `not_drawn`: the server refused.
        differences: Every field that the two files say otherwise, the log position too; of equal
            pixels never none.
        pixels: How far the pixels are apart; None where nothing was drawn, or in another size.
        image: The new image; None where nothing was drawn.
        refusal: Why nothing was drawn.
    """

    outcome: str
    differences: tuple[ReplayDifference, ...]
    pixels: PixelDifference | None = None
    image: GeneratedImage | None = None
    refusal: TabardError | None = field(default=None, repr=False)

    @property
    def is_faithful(self) -> bool:
        """Whether this is the image again, as far as was promised when it was made."""
        return self.outcome in (SAME_FILE, SAME_PIXELS, CLOSE)
