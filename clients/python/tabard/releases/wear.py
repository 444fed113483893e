# SPDX-License-Identifier: Apache-2.0
"""An adapter in a request, where it acts otherwise than one weight says: a value, no behaviour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Wear:
    """One of the `adapters` of a request, in words instead of a text.

    `Wear(ref="acme/ink", weight=0.8, end=0.6)` is `"acme/ink:0.8:end=0.6"`. Shares are of the
    steps: 0 is their beginning, 1 their end. What the text encoders wear is the same at every step,
    for they read the prompt once.

    Attributes:
        ref: `ns/name[@channel|@version|@sha256:…]`.
        weight: How strongly it acts; None: as the release recommends, or 1.
        text_encoder: Its weight in the text encoders; None: its weight.
        unet: Its weight in the UNet; None: its weight.
        points: Its weight in the UNet over the steps, instead of `unet`: pairs of a weight and a
            share, `((0.5, 0), (1, 0.6))`; on the line between two of them.
        start: Share of the steps before which the UNet does not wear it.
        end: Share of the steps from which on the UNet does not.
        region: Where in the picture it is worn: the name of a `Region` of the request, or boxes as
            there; None: everywhere.
        blocks: Factors of its weight in blocks: by name, `{"IN04": 0.5, "OUT": 0}`, or a UI's list
            of 17 or 26 (SD 1.x, 2.x), 12 or 20 (SDXL) numbers.
    """

    ref: str
    weight: float | None = None
    text_encoder: float | None = None
    unet: float | None = None
    points: Sequence[tuple[float, float]] = ()
    start: float | None = None
    end: float | None = None
    region: str | None = None
    blocks: Mapping[str, float] | Sequence[float] = ()
