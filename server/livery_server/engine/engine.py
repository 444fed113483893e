# SPDX-License-Identifier: Apache-2.0
"""The resident base, wearing another stack of adapters in every row.

In: row specs and host adapters. Out: rows, denoised one step at a time, decoded to pixels.
Used from one thread. Knows nothing of jobs, refs, queues or the registry; never writes the base.
"""

from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import diffusers
import numpy as np
import peft
import torch
import transformers

from livery_registry import BaseProfile
from livery_server.engine.binding import bind_rows
from livery_server.engine.errors import EngineError, RowNotFinite
from livery_server.engine.layers import Binding, SlottedLayer, add_slots, is_slottable
from livery_server.engine.loading import Base
from livery_server.engine.profile import named_layers, read_profile
from livery_server.engine.row import Row, RowSpec, begin_row
from livery_server.engine.samplers import SAMPLERS, SamplerShelf
from livery_server.engine.slots import Slot, SlotTable, SlotUse
from livery_server.engine.text import PromptReader, TextEncoder

if TYPE_CHECKING:
    from collections.abc import Iterator

Pixels = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]


class Engine:
    """One base pipeline on one device, with slots for adapters.

    Attributes:
        profile: Layers, widths and fingerprints of the base.
        source: Where the base came from, as the user wrote it.
        slots: What lies on the device.
    """

    def __init__(
        self, base: Base, *, device: torch.device, dtype: torch.dtype, slot_rank_total: int
    ) -> None:
        """Fingerprint the base, move it to the device, and give its layers slots."""
        self.profile: BaseProfile = read_profile(base)
        self.source = base.source
        self._base = base
        self._device, self._dtype = device, dtype
        for model in (base.unet, base.vae, base.text_encoder):
            # diffusers' own `to` warns about modules that other models keep in float32.
            torch.nn.Module.to(model, device=device, dtype=dtype)
        self._bindings = {"unet": Binding(), "text_encoder": Binding()}
        self.slots = SlotTable(
            self._add_slots(rank_rows=slot_rank_total + 1), rank_rows=slot_rank_total + 1
        )
        self._shelf = SamplerShelf(base.scheduler_config)
        self._text = TextEncoder(model=base.text_encoder, reader=self.new_prompt_reader())

    @property
    def device(self) -> str:
        """Name of the device, like `cpu` or `cuda:0`."""
        return str(self._device)

    @property
    def dtype(self) -> torch.dtype:
        """Dtype of weights and latents."""
        return self._dtype

    @property
    def native_width(self) -> int:
        """Pixels the base was trained at."""
        return self._base.native_pixels

    @property
    def native_height(self) -> int:
        """Pixels the base was trained at."""
        return self._base.native_pixels

    @property
    def pixel_multiple(self) -> int:
        """Width and height must be multiples of it."""
        return self._base.pixel_multiple

    @property
    def samplers(self) -> tuple[str, ...]:
        """Short names of the samplers."""
        return tuple(SAMPLERS)

    @property
    def versions(self) -> Mapping[str, str]:
        """Versions of the libraries that shape an image."""
        modules = (diffusers, peft, torch, transformers)
        return {module.__name__: str(module.__version__) for module in modules}

    def new_prompt_reader(self) -> PromptReader:
        """Return a reader with a tokenizer of its own, for another thread."""
        return PromptReader(self._base.tokenizer)

    def can_open(self, spec: RowSpec) -> bool:
        """Say whether the slots have room for this row's stack now."""
        return self.slots.can_hold([adapter for adapter, _ in spec.stack])

    @torch.inference_mode()
    def open_rows(self, specs: Sequence[RowSpec]) -> list[Row | EngineError]:
        """Fill slots, encode text and draw latents; a row that cannot open gives its error.

        Rows of equal prompts and stacks share one text encoding, so images of one job cost one.
        """
        encoded: dict[Any, torch.Tensor] = {}
        return [self._open(spec, encoded=encoded) for spec in specs]

    @torch.inference_mode()
    def step(self, rows: Sequence[Row]) -> None:
        """Take one denoise step for all rows in one forward pass.

        Args:
            rows: Open rows of one pixel size, not done.
        """
        timesteps = torch.stack([row.timestep() for row in rows for _ in range(row.samples)])
        with self._wearing("unet", rows):
            predictions = self._base.unet(
                torch.cat([row.model_input() for row in rows]),
                timesteps.to(self._device, non_blocking=True),
                encoder_hidden_states=torch.cat([row.text for row in rows]),
                return_dict=False,
            )[0]
        parts = predictions.split([row.samples for row in rows])
        for row, part in zip(rows, parts, strict=True):
            row.advance(part)
            if row.is_done and not bool(torch.isfinite(row.latents).all()):
                row.failure = RowNotFinite(
                    "the image became NaN or infinite",
                    hint="lower the weights of the adapters, or the guidance scale",
                )

    @torch.inference_mode()
    def decode(self, row: Row) -> Pixels:
        """Return the image of a done row, uint8 `[height, width, 3]`."""
        vae = self._base.vae
        image = vae.decode(row.latents / vae.config.scaling_factor, return_dict=False)[0][0]
        return _to_pixels(image)

    @torch.inference_mode()
    def preview(self, row: Row) -> Pixels:
        """Return a rough look at an unfinished row, uint8 at latent resolution `[h, w, 3]`."""
        vae = self._base.vae
        scaled = row.scheduler.scale_model_input(
            row.latents, row.timesteps[min(row.steps_done, row.steps_total - 1)]
        )
        image = vae.decode(scaled / vae.config.scaling_factor, return_dict=False)[0]
        small = torch.nn.functional.avg_pool2d(image, self._base.latent_factor)
        return _to_pixels(small[0])

    def close_row(self, row: Row) -> None:
        """Give a row's slots back. Idempotent."""
        if row.is_open:
            row.is_open = False
            for slot in row.slots:
                self.slots.release(slot)

    def residents(self) -> list[SlotUse]:
        """Return what lies in the slots."""
        return self.slots.residents()

    def _add_slots(self, *, rank_rows: int) -> dict[tuple[str, str], SlottedLayer]:
        return {
            (component, name): add_slots(module, binding=binding, rank_rows=rank_rows)
            for component, binding in self._bindings.items()
            for name, module in named_layers(self._base, component)
            if is_slottable(module)
        }

    def _open(self, spec: RowSpec, *, encoded: dict[Any, torch.Tensor]) -> Row | EngineError:
        try:
            slots = self.slots.acquire([adapter for adapter, _ in spec.stack])
        except EngineError as error:
            return error
        try:
            key = (spec.prompt, spec.negative_prompt, spec.is_guided, _stack_key(spec))
            if key not in encoded:
                encoded[key] = self._encode(spec, slots=slots)
            return begin_row(
                spec,
                slots=slots,
                text=encoded[key],
                shelf=self._shelf,
                latent_channels=int(self._base.vae.config.latent_channels),
                latent_factor=self._base.latent_factor,
            )
        except Exception as error:
            for slot in slots:
                self.slots.release(slot)
            if isinstance(error, EngineError):
                return error
            raise

    def _encode(self, spec: RowSpec, *, slots: Sequence[Slot]) -> torch.Tensor:
        prompts = [spec.negative_prompt, spec.prompt] if spec.is_guided else [spec.prompt]
        placeholders = {
            tokens.token: tokens.vectors
            for adapter, _ in spec.stack
            for tokens in adapter.tokens
            if tokens.component == "text_encoder"
        }
        ranks = [rank for slot in slots for rank in slot.ranks]
        weights = [w for slot, (_, w) in zip(slots, spec.stack, strict=True) for _ in slot.ranks]
        active = frozenset[int]().union(*(slot.active for slot in slots))
        binding = self._bindings["text_encoder"]
        bind_rows(
            binding,
            ranks=[ranks],
            weights=[weights],
            samples_per_row=len(prompts),
            active=active,
            device=self._device,
            dtype=self._dtype,
        )
        try:
            return self._text.encode(prompts, placeholders=placeholders)
        finally:
            binding.clear()

    @contextmanager
    def _wearing(self, component: str, rows: Sequence[Row]) -> "Iterator[None]":
        """Bind every row's rank rows for the length of a forward pass."""
        paired = len({row.samples for row in rows}) == 1
        copies = [1 if paired else row.samples for row in rows]
        binding = self._bindings[component]
        bind_rows(
            binding,
            ranks=[row.rank_index for row, n in zip(rows, copies, strict=True) for _ in range(n)],
            weights=[
                row.rank_weight for row, n in zip(rows, copies, strict=True) for _ in range(n)
            ],
            samples_per_row=rows[0].samples if paired else 1,
            active=frozenset[int]().union(*(slot.active for row in rows for slot in row.slots)),
            device=self._device,
            dtype=self._dtype,
        )
        try:
            yield
        finally:
            binding.clear()


def _stack_key(spec: RowSpec) -> tuple[tuple[str, float], ...]:
    return tuple((adapter.digest, weight) for adapter, weight in spec.stack)


def _to_pixels(image: torch.Tensor) -> Pixels:
    """Map `[3, h, w]` in [-1, 1] to uint8 `[h, w, 3]`, rounding as diffusers does."""
    unit = (image / 2 + 0.5).clamp(0, 1).permute(1, 2, 0).float().cpu().numpy()
    pixels: Pixels = (unit * 255).round().astype("uint8")
    return pixels
