# SPDX-License-Identifier: Apache-2.0
"""How a pipeline lays out what its text encoders write, for the network that reads it. Values.

Knows no tensors. Sources: `encode_prompt` of diffusers' pipelines of the same names, whose lengths
and orders these are.
"""

from dataclasses import dataclass
from typing import Literal

T5 = "t5"
"""What the configuration of a T5 says for its `model_type`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextLayout:
    """What a network reads of the text encoders beside it.

    Attributes:
        clip_states: Which hidden states of each CLIP are read, joined by width: those of its last
            layer, of the last but one, or none.
        pooled: What each CLIP says of a whole text, joined by width: its projection, where it has
            one; the plain state at the end of the text; or nothing.
        t5_tokens: Tokens of one window of the T5, its end among them, to which every text is
            padded; 0: the pipeline has no T5.
        t5_windows_max: Most windows of the T5, which reads them as one sequence.
        is_masked: Whether words take part in an attention of their own, so that a row which is
            shorter than its neighbours is padded and masked. Others say their words several times
            over, which comes to the same.
    """

    clip_states: Literal["last", "penultimate", "none"]
    pooled: Literal["none", "projected", "plain"] = "none"
    t5_tokens: int = 0
    t5_windows_max: int = 0
    is_masked: bool = False

    def __post_init__(self) -> None:
        assert (self.t5_tokens > 0) == (self.t5_windows_max > 0)
        assert self.clip_states != "none" or self.t5_tokens, "somebody writes the text"


CLIP = TextLayout(clip_states="last")
"""SD 1 and 2: one encoder."""
CLIP_JOINED = TextLayout(clip_states="penultimate", pooled="projected")
"""SDXL: two, the second of which sums the text up."""
SD3 = TextLayout(
    clip_states="penultimate",
    pooled="projected",
    t5_tokens=256,
    t5_windows_max=2,
    is_masked=True,
)
"""SD 3.5: two CLIPs, zeros beside them up to the T5's width, and the T5 or zeros behind them."""
FLUX = TextLayout(
    clip_states="none", pooled="plain", t5_tokens=512, t5_windows_max=1, is_masked=True
)
"""Flux.1: the T5 alone, and what CLIP says of the whole."""
