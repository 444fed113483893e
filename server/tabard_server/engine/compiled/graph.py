# SPDX-License-Identifier: Apache-2.0
"""One pass of a UNet as a function of a list of tensors, and the kind of pass that they make.

In: what a forward pass is given, and what its rows wear. Out: tensors in an order of their own, and
a shape that is the same for all passes that one library can run.
"""

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import Any

import torch
from torch import nn

from tabard_registry.refs.digest import sha256_bytes
from tabard_server.adapters.host_adapter import MAGNITUDE_ROWS, wide
from tabard_server.engine.slots.binding import (
    COMPILED_RANK_BUCKETS,
    MAGNITUDE_BUCKETS,
    SlotStack,
    bucket,
)
from tabard_server.engine.slots.worn_rows import Binding, Scaling, WornRows

_ADDED = ("text_embeds", "time_ids")
_TIME_IDS = 6
_SCALING = ("scaling_index", "scaling_weight", "scaling_share")


@dataclass(frozen=True, slots=True, kw_only=True)
class PassShape:
    """What must be equal for two passes of one base to run one library.

    Attributes:
        samples: Of the batch, filled up.
        height: Of the latents.
        width: Likewise.
        tokens: Of the text.
        rows: That wear something of their own; 0: the pass is bare.
        ranks: Rank rows of each, padded.
        blocks: With weights of their own; 0: one weight for all.
        magnitudes: Of each row, padded; 0: nobody wears any.
        scales_outputs: Whether they scale outputs; in every layer, then.
        scales_inputs: Whether they scale inputs.
        has_kernels: Whether they change convolutions of more than one pixel.
    """

    samples: int
    height: int
    width: int
    tokens: int
    rows: int = 0
    ranks: int = 0
    blocks: int = 0
    magnitudes: int = 0
    scales_outputs: bool = False
    scales_inputs: bool = False
    has_kernels: bool = False

    @property
    def name(self) -> str:
        """A file's name for it: what one looks for, and everything as a hash."""
        whole = str(sha256_bytes(repr(astuple(self)).encode())).removeprefix("sha256:")
        worn = f"-rank{self.ranks}" if self.rows else ""
        return f"{self.samples}x{self.height}x{self.width}{worn}-{whole[:12]}"

    def inputs(
        self, config: Mapping[str, Any], *, dtype: torch.dtype
    ) -> dict[str, tuple[tuple[int, ...], torch.dtype]]:
        """Return sizes and dtypes of a library's arguments by name, in order, for such a UNet."""
        samples, rows, ranks = self.samples, self.rows, self.ranks
        by_block = (self.blocks,) if self.blocks else ()
        found: dict[str, tuple[tuple[int, ...], torch.dtype]] = {
            "latents": ((samples, config["in_channels"], self.height, self.width), dtype),
            "timesteps": ((samples,), torch.float32),
            "text": ((samples, self.tokens, config["cross_attention_dim"]), dtype),
        }
        if config.get("addition_embed_type") == "text_time":
            told = _TIME_IDS * config["addition_time_embed_dim"]
            pooled = config["projection_class_embeddings_input_dim"] - told
            found["text_embeds"] = (samples, pooled), dtype
            found["time_ids"] = (samples, _TIME_IDS), dtype
        if rows:
            found["index"] = (rows, ranks), torch.int64
            found["weight"] = (*by_block, rows, ranks, 1), dtype
        if self.magnitudes:
            count = self.magnitudes
            found[_SCALING[0]] = (*by_block, rows * MAGNITUDE_ROWS * count), torch.int64
            found[_SCALING[1]] = (*by_block, rows, count, 1), wide(dtype)
            found[_SCALING[2]] = (rows, ranks, count), dtype
        return found


def shape_of(
    latents: torch.Size, *, samples: int, tokens: int, stacks: Sequence[SlotStack]
) -> PassShape:
    """Return the kind of a pass, as `bind_rows` will bind it everywhere.

    Args:
        latents: `[…, h, w]`.
        samples: Of the batch, filled up.
        tokens: Of the text.
        stacks: What each row wears, rows of nobody included.
    """
    worn = [one for stack in stacks for one in stack]
    bare = PassShape(samples=samples, height=latents[-2], width=latents[-1], tokens=tokens)
    if not any(slot.active for slot, _ in worn):
        return bare
    ranks = max(sum(len(slot.ranks) for slot, _ in stack) for stack in stacks)
    blocks = max(len(weights) for _, weights in worn)
    scaled = max(sum(bool(slot.magnitudes) for slot, _ in stack) for stack in stacks)
    return PassShape(
        samples=samples,
        height=bare.height,
        width=bare.width,
        tokens=tokens,
        rows=len(stacks),
        ranks=bucket(ranks, buckets=COMPILED_RANK_BUCKETS),
        blocks=blocks if blocks > 1 else 0,
        magnitudes=bucket(scaled, buckets=MAGNITUDE_BUCKETS) if scaled else 0,
        scales_outputs=any(slot.magnitudes and slot.scaled["outputs"] for slot, _ in worn),
        scales_inputs=any(slot.magnitudes and slot.scaled["inputs"] for slot, _ in worn),
        has_kernels=any(slot.has_kernels for slot, _ in worn),
    )


def gather_inputs(
    worn: WornRows | None,
    latents: torch.Tensor,
    timesteps: torch.Tensor,
    text: torch.Tensor,
    added: Mapping[str, torch.Tensor] | None,
) -> list[torch.Tensor]:
    """Put in order what a library is given.

    Args:
        worn: What rows wear, bound everywhere.
        latents: `[samples, channels, h, w]`.
        timesteps: `[samples]`; whole or not, they become float32, as the model makes them itself.
        text: `[samples, tokens, width]`.
        added: What SDXL's UNet is told besides.
    """
    found = [latents, timesteps.float(), text]
    found += [] if added is None else [added[name] for name in _ADDED]
    if worn is not None:
        found += [worn.index, worn.weight]
        if (scaling := worn.scaling) is not None:
            found += [scaling.index, scaling.weight, scaling.share]
    return [one.contiguous() for one in found]


class UNetPass(nn.Module):
    """A UNet whose layers have slots, as a function of such a list."""

    def __init__(
        self, unet: nn.Module, *, binding: Binding, shape: PassShape, names: Sequence[str]
    ) -> None:
        """Take a model, the binding of its layers, the kind of pass, and its arguments' names."""
        super().__init__()
        self.unet = unet
        self._binding, self._shape, self._names = binding, shape, tuple(names)

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        """Return predictions, `[samples, channels, h, w]`."""
        given = dict(zip(self._names, inputs, strict=True))
        self._binding.worn = self._worn(given)
        added = {name: given[name] for name in _ADDED if name in given}
        found: Any = self.unet(
            given["latents"],
            given["timesteps"],
            encoder_hidden_states=given["text"],
            added_cond_kwargs=added or None,
            return_dict=False,
        )
        prediction: torch.Tensor = found[0]
        return prediction

    def _worn(self, given: Mapping[str, torch.Tensor]) -> WornRows | None:
        if not self._shape.rows:
            return None
        scaling = None
        if self._shape.magnitudes:
            index, weight, share = (given[name] for name in _SCALING)
            scaling = Scaling(
                index=index,
                weight=weight,
                share=share,
                outputs=None if self._shape.scales_outputs else frozenset(),
                inputs=None if self._shape.scales_inputs else frozenset(),
            )
        return WornRows(
            index=given["index"],
            weight=given["weight"],
            samples_per_row=self._shape.samples // self._shape.rows,
            active=None,
            scaling=scaling,
        )
