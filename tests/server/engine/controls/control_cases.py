# SPDX-License-Identifier: Apache-2.0
"""Adapters as they are asked for, and what that means in each layer of diffusers and peft.

Which layer lies in which block is written down by hand.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from peft.tuners.tuners_utils import BaseTunerLayer

from tabard_server.engine_port.weights.strength import Controls, Point, Strength

BLOCKS: Mapping[str, str] = {
    "conv_in": "IN00",
    "down_blocks.0.resnets.0": "IN01",
    "down_blocks.0.attentions.0": "IN01",
    "down_blocks.0.downsamplers.0": "IN02",
    "down_blocks.1.resnets.0": "IN03",
    "down_blocks.1.attentions.0": "IN03",
    "mid_block": "MID",
    "up_blocks.0.resnets.0": "OUT00",
    "up_blocks.0.attentions.0": "OUT00",
    "up_blocks.0.resnets.1": "OUT01",
    "up_blocks.0.attentions.1": "OUT01",
    "up_blocks.0.upsamplers.0": "OUT01",
    "up_blocks.1.resnets.0": "OUT02",
    "up_blocks.1.attentions.0": "OUT02",
    "up_blocks.1.resnets.1": "OUT03",
    "up_blocks.1.attentions.1": "OUT03",
}
"""Of a base with two blocks a side and one layer each."""


class Case:
    """One adapter as it is asked for, and what that means, written down once more.

    Attributes:
        weight: As the engine is told.
        text: Its weight in the text encoders.
        steps: Its weight in the UNet, at each of five.
        block: By block: what that is multiplied with.
    """

    def __init__(
        self,
        said: float,
        *,
        text: float,
        steps: Sequence[float],
        block: Mapping[str, float] | None = None,
        **controls: Any,
    ) -> None:
        self.text, self.steps, self.block = text, steps, block or {}
        self.weight: Any = said
        if block or controls:
            blocks = tuple(self.block.items())
            self.weight = Strength(weight=said, controls=Controls(blocks=blocks, **controls))

    def at(self, module: str, *, step: int) -> float:
        """The scale of one layer of the UNet at a step."""
        block = next((b for prefix, b in BLOCKS.items() if module.startswith(prefix)), "")
        return self.steps[step] * self.block.get(block, 1.0)


CASES: Mapping[str, Case] = {
    "plain": Case(0.7, text=0.7, steps=[0.7] * 5),
    "parts": Case(1.0, text=0.3, steps=[0.9] * 5, text_encoder=0.3, unet=(Point(0.9, 0.0),)),
    "unet_only": Case(0.8, text=0.0, steps=[0.8] * 5, text_encoder=0.0),
    "text_only": Case(0.8, text=0.8, steps=[0.0] * 5, unet=(Point(0.0, 0.0),)),
    "blocks": Case(
        0.9, text=0.9, steps=[0.9] * 5, block={"IN01": 0.0, "IN03": 0.5, "MID": 1.5, "OUT02": -0.5}
    ),
    "late": Case(0.8, text=0.8, steps=[0, 0, 0.8, 0.8, 0.8], start=0.4),
    "early": Case(0.8, text=0.8, steps=[0.8, 0.8, 0.8, 0, 0], end=0.6),
    "curve": Case(
        0.2,
        text=0.2,
        steps=[0.2, 0.6, 1.0, 0.9, 0.8],
        unet=(Point(0.2, 0.0), Point(1.0, 0.4), Point(0.8, 0.8)),
    ),
    "all": Case(
        0.5,
        text=0.4,
        steps=[0, 0.7, 0.9, 1.0, 0],
        block={"OUT00": 0.25, "OUT03": 0.0},
        text_encoder=0.4,
        unet=(Point(0.5, 0.0), Point(0.9, 0.4), Point(1.0, 0.6)),
        start=0.2,
        end=0.8,
    ),
}


def layers_of(model: Any) -> list[tuple[str, BaseTunerLayer]]:
    return [(n, one) for n, one in model.named_modules() if isinstance(one, BaseTunerLayer)]


def set_layer(layer: BaseTunerLayer, weights: Mapping[str, float]) -> None:
    """Wear adapters in a layer; those of weight 0 not at all, magnitudes included."""
    worn = {key: weight for key, weight in weights.items() if weight}
    layer.enable_adapters(bool(worn))
    if worn:
        layer.set_adapter([key for key in worn if key in layer.lora_A])
        for key, weight in worn.items():
            if key in layer.lora_A:
                layer.set_scale(key, weight)
