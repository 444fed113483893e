# SPDX-License-Identifier: Apache-2.0
"""How large everything is: what people have on a GPU, and a rehearsal of it that a CPU can do."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.bench import full_size

TINY: dict[str, Any] = {
    "sample_size": 16,
    # What is traced takes its time by layer: one level, and nothing below it.
    "block_out_channels": (16,),
    "layers_per_block": 1,
    "down_block_types": ("CrossAttnDownBlock2D",),
    "mid_block_type": None,
    "up_block_types": ("CrossAttnUpBlock2D",),
    "cross_attention_dim": 32,
    "attention_head_dim": 4,
    "norm_num_groups": 8,
}
TINY_XL: dict[str, Any] = {
    **TINY,
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 8,
    "projection_class_embeddings_input_dim": 6 * 8 + full_size.POOLED_WIDTH,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """What a script measures with.

    Attributes:
        device: `cuda` or `cpu`.
        unets: Configurations by name.
        text_width: Of the text encoder.
        text_layers: Likewise.
        vae_widths: Channels of the VAE, from the outside in.
        dtype: Of the base, as settings call it.
        rounds: Of each thing that is timed.
        steps: Of a picture that is served.
        pictures: That are asked for at once.
        compiler: Which backend of `torch.compile` makes graphs.
    """

    device: str
    unets: Mapping[str, dict[str, Any]]
    text_width: int
    text_layers: int
    vae_widths: tuple[int, ...]
    dtype: str
    rounds: int
    steps: int
    pictures: int
    compiler: str


FULL = Sizes(
    device="cuda",
    unets={"sd15": full_size.SD15, "sdxl": full_size.SDXL},
    text_width=768,
    text_layers=12,
    vae_widths=(128, 256, 512, 512),
    dtype="float16",
    rounds=7,
    steps=20,
    pictures=32,
    compiler="inductor",
)
REHEARSAL = Sizes(
    device="cpu",
    unets={"sd15": TINY, "sdxl": TINY_XL},
    text_width=32,
    text_layers=1,
    vae_widths=(16, 16, 16),
    dtype="float32",
    rounds=1,
    steps=2,
    pictures=8,
    # Traces the same graphs, and compiles none: that takes a CPU minutes.
    compiler="eager",
)
