# SPDX-License-Identifier: Apache-2.0
"""The resident base, wearing another stack of adapters in every row.

In: row specs and host adapters. Out: rows, denoised one step at a time, decoded to pixels.
Used from one thread. Knows nothing of jobs, refs, queues or the registry; never writes the base.
"""

from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import diffusers
import peft
import torch
import transformers

from livery_registry import BaseProfile
from livery_server.engine.binding import bind_rows
from livery_server.engine.conditioning import Conditioner, Conditioning, Prompt, join_texts
from livery_server.engine.errors import EngineError, RowNotFinite
from livery_server.engine.latents import LatentSpace, Pixels
from livery_server.engine.layers import Binding, SlottedLayer, add_slots, is_slottable
from livery_server.engine.loading import Base
from livery_server.engine.profile import named_layers, read_profile
from livery_server.engine.row import Row, RowSpec, begin_row
from livery_server.engine.samplers import resolve_sampler
from livery_server.engine.shelf import SamplerShelf
from livery_server.engine.slots import Slot, SlotTable, SlotUse, table_rows
from livery_server.engine.text import PromptReader

if TYPE_CHECKING:
    from collections.abc import Iterator


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
        self._space = LatentSpace(base, device=device, dtype=dtype)
        for component in base.adaptable:
            # diffusers' own `to` warns about modules that other models keep in float32.
            torch.nn.Module.to(base.models[component], device=device, dtype=dtype)
        self._bindings = {component: Binding() for component in base.adaptable}
        rank_rows = table_rows(slot_rank_total)
        self.slots = SlotTable(self._add_slots(rank_rows=rank_rows), rank_rows=rank_rows)
        self._shelf = SamplerShelf(base.scheduler_config)
        self._conditioner = Conditioner(base)

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
        """Short names of the samplers that this base can be walked with."""
        return self._shelf.names

    @property
    def versions(self) -> Mapping[str, str]:
        """Versions of the libraries that shape an image."""
        modules = (diffusers, peft, torch, transformers)
        return {module.__name__: str(module.__version__) for module in modules}

    def new_prompt_reader(self) -> PromptReader:
        """Return a reader with a tokenizer of its own, for another thread."""
        return PromptReader(self._base.text_parts[0].tokenizer)

    def resolve_sampler(self, name: str) -> str:
        """Return the short name of a sampler in any spelling, if this base can be walked with it.

        Raises:
            UnknownSampler: No sampler goes by that name, or it cannot run here.
        """
        found = resolve_sampler(name)
        self._shelf.check(found)
        return found

    def can_open(self, spec: RowSpec) -> bool:
        """Say whether the slots have room for this row's stack now."""
        return self.slots.can_hold([adapter for adapter, _ in spec.stack])

    @torch.inference_mode()
    def open_rows(self, specs: Sequence[RowSpec]) -> list[Row | EngineError]:
        """Fill slots, encode text and draw latents; a row that cannot open gives its error.

        Rows of equal prompts and stacks share one text encoding, so images of one job cost one.
        """
        encoded: dict[Any, Conditioning] = {}
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
                encoder_hidden_states=join_texts([row.conditioning.text for row in rows]),
                added_cond_kwargs=self._added(rows),
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
        return self._space.decode(row.latents)

    @torch.inference_mode()
    def preview(self, row: Row) -> Pixels:
        """Return a rough look at an unfinished row, uint8 at latent resolution `[h, w, 3]`."""
        scaled = row.scheduler.scale_model_input(
            row.latents, row.timesteps[min(row.steps_done, row.steps_total - 1)]
        )
        return self._space.decode_small(scaled)

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

    def _open(self, spec: RowSpec, *, encoded: dict[Any, Conditioning]) -> Row | EngineError:
        try:
            slots = self.slots.acquire([adapter for adapter, _ in spec.stack])
        except EngineError as error:
            return error
        try:
            key = _text_key(spec)
            if key not in encoded:
                encoded[key] = self._encode(spec, slots=slots)
            return begin_row(
                spec,
                slots=slots,
                conditioning=encoded[key],
                shelf=self._shelf,
                space=self._space,
            )
        except Exception as error:
            for slot in slots:
                self.slots.release(slot)
            if isinstance(error, EngineError):
                return error
            raise

    def _encode(self, spec: RowSpec, *, slots: Sequence[Slot]) -> Conditioning:
        prompts = [Prompt(text=spec.prompt, clip_skip=spec.clip_skip)]
        if spec.is_guided:
            is_zero = self._base.is_empty_zero and not spec.negative_prompt
            prompts.insert(0, Prompt(text=spec.negative_prompt, is_zero=is_zero))
        placeholders: dict[str, dict[str, torch.Tensor]] = {}
        for adapter, _ in spec.stack:
            for tokens in adapter.tokens:
                vectors = tokens.vectors.to(self._device)
                placeholders.setdefault(tokens.component, {})[tokens.token] = vectors
        worn = [(slot, weight) for slot, (_, weight) in zip(slots, spec.stack, strict=True)]

        @contextmanager
        def wearing(component: str, sequences: int) -> "Iterator[None]":
            binding = self._bindings[component]
            bind_rows(
                binding,
                stacks=[worn],
                samples_per_row=sequences,
                device=self._device,
                dtype=self._dtype,
            )
            try:
                yield
            finally:
                binding.clear()

        return self._conditioner.encode(
            prompts, placeholders=placeholders, wearing=wearing, style=spec.style
        )

    def _added(self, rows: Sequence[Row]) -> dict[str, torch.Tensor] | None:
        """Return what SDXL's UNet is told besides the words; None for other families."""
        pooled = [row.conditioning.pooled for row in rows]
        if pooled[0] is None:
            return None
        sizes = [row.spec.time_ids for row in rows for _ in range(row.samples)]
        return {
            "text_embeds": torch.cat([one for one in pooled if one is not None]),
            "time_ids": torch.tensor(sizes, dtype=self._dtype).to(self._device),
        }

    @contextmanager
    def _wearing(self, component: str, rows: Sequence[Row]) -> "Iterator[None]":
        """Bind every row's rank rows for the length of a forward pass."""
        paired = len({row.samples for row in rows}) == 1
        copies = [1 if paired else row.samples for row in rows]
        binding = self._bindings[component]
        bind_rows(
            binding,
            stacks=[row.worn for row, n in zip(rows, copies, strict=True) for _ in range(n)],
            samples_per_row=rows[0].samples if paired else 1,
            device=self._device,
            dtype=self._dtype,
        )
        try:
            yield
        finally:
            binding.clear()


def _text_key(spec: RowSpec) -> tuple[Any, ...]:
    """Return everything that shapes a row's conditioning."""
    stack = tuple((adapter.digest, weight) for adapter, weight in spec.stack)
    prompts = (spec.prompt, spec.negative_prompt, spec.is_guided, spec.style, spec.clip_skip)
    return (*prompts, stack)
