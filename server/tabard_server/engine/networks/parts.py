# SPDX-License-Identifier: Apache-2.0
"""What transformers have in common, and whether the parts of their pipelines belong together.

In: a transformer, and configurations of the other parts. Out: widths, and what is wrong, in words;
empty: nothing. Knows no weights.
"""

from collections.abc import Mapping
from typing import Any

from tabard_server.engine.networks.network import Network


def other_channels(network: Network, *, latent_channels: int) -> str:
    """Say that a transformer takes more than latents, or gives other than it takes."""
    config = network.module.config
    gives = config.out_channels or config.in_channels
    if network.channels == latent_channels and gives == config.in_channels:
        return ""
    return (
        f"its transformer takes {config.in_channels} channels and gives {gives}, and latents have "
        f"{latent_channels}, as in inpainting, editing and control models"
    )


def other_t5(network: Network, texts: Mapping[str, Any]) -> str:
    """Say that a T5 writes text of another width than a transformer reads."""
    wide = [int(one.d_model) for one in texts.values() if one.model_type == "t5"]
    if not wide or wide == [network.text_width]:
        return ""
    return f"its transformer reads text {network.text_width} wide, its T5 writes {wide[0]}"


def other_summary(network: Network, width: int) -> str:
    """Say that CLIPs summarise to another width than a transformer takes."""
    return (
        f"its transformer takes a summary {network.pooled_width} wide, its text encoders write "
        f"{width}"
    )


class Transformer(Network):
    """A transformer that reads text and a summary, whose widths its configuration says."""

    component = "transformer"
    is_convolutional = False
    library_config = None
    takes_sizes = False

    @property
    def text_width(self) -> int:
        """Width of the hidden states that it reads."""
        return int(self.module.config.joint_attention_dim)

    @property
    def pooled_width(self) -> int:
        """Width of the summary."""
        return int(self.module.config.pooled_projection_dim)
