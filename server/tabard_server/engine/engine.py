# SPDX-License-Identifier: Apache-2.0
"""The resident base, wearing another stack of adapters in every row.

In: row specs and host adapters. Out: rows, denoised one step at a time, decoded to pixels.
Used from one thread. Knows nothing of jobs, refs, queues or the registry; never writes the base.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial

import torch

from tabard_registry import BaseProfile
from tabard_server.adapters.host_adapter import adapters_of
from tabard_server.engine.base.facts import facts_of
from tabard_server.engine.base.loading import Base
from tabard_server.engine.base.profile import read_profile
from tabard_server.engine.base.resident.resident_weights import ResidentWeights
from tabard_server.engine.base.resident.settling import settle
from tabard_server.engine.base.resident.text_shelf import new_shelf
from tabard_server.engine.compiled.libraries import libraries_of
from tabard_server.engine.compiled.passes import CompiledPasses
from tabard_server.engine.denoiser import Denoiser
from tabard_server.engine.measures.calibration import measure_passes, measure_work
from tabard_server.engine.measures.dry_run import DryRuns
from tabard_server.engine.measures.fusing import fuse
from tabard_server.engine.measures.stopwatch import Stopwatch
from tabard_server.engine.merged.merged_copy import MergedWeights
from tabard_server.engine.networks.precision import Precision
from tabard_server.engine.out_of_memory import translating_out_of_memory
from tabard_server.engine.residence import give_slots
from tabard_server.engine.row import Row, begin_row
from tabard_server.engine.row_text import RowTextEncoder
from tabard_server.engine.sampling.noise_ahead import NoiseAhead
from tabard_server.engine.sampling.pass_courses import PassCourses, moves_alone
from tabard_server.engine.sampling.readback import Readback
from tabard_server.engine.sampling.sampler_prototypes import SamplerPrototypes
from tabard_server.engine.sampling.vae import LatentSpace
from tabard_server.engine.slots.packed_weights import PackedWeights, can_pack
from tabard_server.engine.slots.slot_table import table_rows
from tabard_server.engine.slots.worn_rows import Binding
from tabard_server.engine_port.costs import Compiled, Compiling, Costs, TextCounts
from tabard_server.engine_port.errors import EngineError, no_merged_copy
from tabard_server.engine_port.memory import ROWS_PER_STEP, TEXT_BYTES_MAX, MemoryPlan
from tabard_server.engine_port.port import PromptReaderLike
from tabard_server.engine_port.row_spec import RowSpec
from tabard_server.engine_port.samplers import resolve_sampler
from tabard_server.engine_port.stack import Resident, StackKey
from tabard_server.engine_port.weights.blocks import Blocks
from tabard_server.engine_port.work import Work


class Engine:
    """One base pipeline on one device, with slots for adapters.

    Attributes:
        profile: Layers, widths and fingerprints of the base.
        source: Where the base came from, as the user wrote it.
        plan: What it uses of the device; None: nobody asked.
        slots: What lies on the device.
        can_merge: Whether there may be a merged copy.
        facts: What the base can draw.
        fused_layers: Layers that make what rows wear in their own product; none on a CPU.
    """

    def __init__(
        self,
        base: Base,
        *,
        plan: MemoryPlan | None = None,
        device: torch.device,
        dtype: torch.dtype,
        slot_rank_total: int,
        compiling: Compiling | None = None,
        text_bytes_max: int = TEXT_BYTES_MAX,
        can_merge: bool = True,
    ) -> None:
        """Fingerprint the base, move it to the device, and give its layers slots.

        Args:
            base: In float32 on the CPU.
            plan: What it will use of the device; None: nobody asked.
            device: Where everything shall lie.
            dtype: Of weights and latents.
            slot_rank_total: Rank rows of all slots together.
            compiling: How the UNet is compiled; None: it is not.
            text_bytes_max: Encoded prompts that are kept, where there is no plan.
            can_merge: Whether there may be a merged copy.
        """
        self.profile: BaseProfile = read_profile(base)
        self.source, self.plan = base.source, plan
        self._base, self._device, self._dtype = base, device, dtype
        precision = Precision(dtype, base.precision.storage)
        self._weights = ResidentWeights(base, profile=self.profile, precision=precision)
        self._space = LatentSpace(base, device=device, dtype=dtype)
        self._shelf, network = new_shelf(device), base.network
        settle(base, plan=plan, device=device, precision=precision, shelf=self._shelf)
        self._weights.note_kept(device=device)
        self._bindings = {component: Binding() for component in base.adaptable}
        self._blocks = Blocks(self.profile.modules[network.component])
        self._packed = self._new_packed_weights()
        rank_rows, is_compiled = table_rows(slot_rank_total), compiling is not None
        self.slots = give_slots(
            base,
            bindings=self._bindings,
            blocks=self._blocks,
            packed=self._packed,
            rank_rows=rank_rows,
            has_tables=is_compiled,
            device=device,
            dtype=dtype,
        )
        self._samplers = SamplerPrototypes(
            base.scheduler_config, has_linear_sigmas=base.has_linear_sigmas
        )
        self._noise, self._stopwatch = NoiseAhead(), Stopwatch(device)
        models = {part.component: part.model for part in base.text_parts}
        new_copy = partial(MergedWeights, device=device, bytes_max=None, dtype=dtype)
        self._text = RowTextEncoder(
            base,
            bindings=self._bindings,
            shelf=self._shelf,
            merged=new_copy(models) if can_merge else None,
            device=device,
            bytes_max=text_bytes_max if plan is None else plan.texts,
        )
        libraries = self._new_libraries(rank_rows, compiling=compiling)
        self._is_captured = is_compiled and device.type == "cuda" and libraries is None
        self._denoiser = self._new_denoiser(
            libraries, is_captured=self._is_captured, can_merge=can_merge
        )
        self.can_merge, self.fused_layers = can_merge, 0
        samplers, clip_skip_max = self._samplers.names, self._text.clip_skip_max
        self.facts = facts_of(base, samplers=samplers, clip_skip_max=clip_skip_max, dtype=dtype)

    @property
    def device(self) -> str:
        """Name of the device, like `cpu` or `cuda:0`."""
        return str(self._device)

    @property
    def dtype(self) -> torch.dtype:
        """Dtype of weights and latents."""
        return self._dtype

    @property
    def loaded_fingerprints(self) -> Mapping[str, str]:
        """Component to fingerprint of what was loaded, rounded as it is kept."""
        return self._weights.loaded

    def hash_weights(self, *, between: Callable[[], None]) -> dict[str, str]:
        """Hash the weights in memory, in another thread if one likes; see `EnginePort`."""
        return self._weights.hash(between=between)

    def new_prompt_reader(self) -> PromptReaderLike:
        """Return a reader with tokenizers of its own, for another thread."""
        return self._text.new_prompt_reader()

    def resolve_sampler(self, name: str) -> str:
        """Return the short name of a sampler in any spelling, if this base can be walked with it.

        Raises:
            UnknownSampler: No sampler goes by that name, or it cannot run here.
        """
        found = resolve_sampler(name)
        self._samplers.check(found)
        return found

    @property
    def merged_stack(self) -> StackKey:
        """What the merged copy wears, as `RowSpec.stack_key` says it; empty: nothing."""
        return self._denoiser.merged_stack

    def costs(self) -> Costs:
        """Return what pieces of work took lately."""
        return self._stopwatch.costs()

    @property
    def texts(self) -> TextCounts:
        """Prompts that were found encoded, or were encoded."""
        return self._text.kept.counts

    @property
    def compiled(self) -> Compiled | None:
        """How far the compiled passes are; None: there are none, or each compiles as it comes."""
        return self._denoiser.compiled

    @property
    def work(self) -> Work:
        """What passes take by size; from any thread."""
        return self._stopwatch.work

    def calibrate(self, walked: DryRuns) -> None:
        """Measure what passes take, before anything is drawn: a second or so.

        Args:
            walked: The passes of the base.
        """
        self._stopwatch.work = measure_work(
            self._base, walked=walked, device=self._device, shelf=self._shelf
        )
        if self.plan is not None and self._device.type == "cuda":
            passes = measure_passes(self._base, device=self._device)
            self.plan = self.plan.measured(passes, size=self._stopwatch.work.native)
        rows_max = ROWS_PER_STEP if self.plan is None else self.plan.rows_per_step
        if self._device.type == "cuda":
            self.fused_layers = fuse(self._base, rows=rows_max, is_compiled=self._is_captured)
        side = self._base.native_pixels // self._base.latent_factor
        self._denoiser.warm(
            (side, side),
            tokens=self._base.text_parts[0].tokenizer.model_max_length,
            rows_max=rows_max,
        )

    def can_open(self, spec: RowSpec) -> bool:
        """Say whether the slots have room for this row's stack now."""
        return spec.is_merged_only or self.slots.can_hold(adapters_of(spec.stack))

    @torch.inference_mode()
    def open_rows(self, specs: Sequence[RowSpec]) -> list[Row | EngineError]:
        """Fill slots, encode text and draw latents; a row that cannot open gives its error.

        Rows of equal prompts and stacks share one text encoding, so images of one job cost one.
        """
        with self._stopwatch.timing("opening", pieces=max(1, len(specs))):
            rows = [self._open(spec) for spec in specs]
        self._text.kept.trim()
        return rows

    @torch.inference_mode()
    def step(self, rows: Sequence[Row], *, is_merged: bool = False) -> None:
        """Take one denoise step for all rows in one forward pass.

        Args:
            rows: Open rows of one pixel size, not done.
            is_merged: On the merged copy; the rows then wear one stack.

        Raises:
            DeviceMemoryFull: The pass did not fit; no row has moved.
            AdapterMismatch, MergedTooLarge: The stack cannot be merged; no row has moved.
        """
        rows = sorted(rows, key=lambda row: moves_alone(row.course))
        with translating_out_of_memory(self._free_memory):
            courses = PassCourses([row.course for row in rows], ahead=self._noise)
            predictions = self._denoiser.predict(rows, courses=courses, is_merged=is_merged)
            courses.advance_tables(predictions)
        by_course = {row.course: row for row in rows}
        for course, prediction in courses.alone(predictions):
            try:
                with translating_out_of_memory(self._free_memory):
                    course.advance(prediction)
            except EngineError as error:
                by_course[course].failure = error

    @torch.inference_mode()
    def decode(self, row: Row) -> Readback:
        """Begin to decode the image of a done row.

        Raises:
            DeviceMemoryFull: The decoder did not fit.
        """
        latents = row.latents
        with translating_out_of_memory(self._free_memory), self._decoding(row, latents):
            return self._space.decode(latents)

    @torch.inference_mode()
    def preview(self, row: Row) -> Readback:
        """Begin to decode a rough look at an unfinished row, at latent resolution."""
        latents = row.course.scaled_latents()
        with translating_out_of_memory(self._free_memory), self._decoding(row, latents):
            return self._space.decode_small(latents)

    def close_row(self, row: Row) -> None:
        """Give a row's slots back. Idempotent."""
        if row.is_open:
            row.is_open = False
            for slot in row.slots:
                self.slots.release(slot)

    def forget(self, digest: str) -> bool:
        """Empty the slot of a release unless a row wears it; say whether it lies here no more.

        Texts that were encoded in it are not kept either.
        """
        self._text.kept.forget(digest)
        return self.slots.forget(digest)

    def residents(self) -> list[Resident]:
        """Return what lies in the slots; from any thread."""
        return self.slots.residents()

    @property
    def resident_bytes(self) -> int:
        """Bytes of all that lies in the slots."""
        return self.slots.resident_bytes

    def holds(self, digest: str) -> bool:
        """Say whether a release lies in the slots."""
        return digest in self.slots

    @contextmanager
    def _decoding(self, row: Row, latents: torch.Tensor) -> Iterator[None]:
        """Decode, and measure it; beside the steps where the plan has room for both at once."""
        size = row.spec.drawing.size
        with ExitStack() as stack:
            if self.plan is not None and self.plan.decodes_beside(size):
                stack.enter_context(self._space.beside.running(latents))
            stack.enter_context(self._stopwatch.timing("decoding", size=size))
            yield

    def _new_denoiser(
        self, libraries: CompiledPasses | None, *, is_captured: bool, can_merge: bool
    ) -> Denoiser:
        network = self._base.network
        drawing = {network.component: network.module}
        return Denoiser(
            network,
            layout=self._base.text_layout,
            binding=self._bindings[network.component],
            merged=MergedWeights(drawing, device=self._device, bytes_max=None, dtype=self._dtype)
            if can_merge
            else None,
            dtype=self._dtype,
            is_captured=is_captured,
            libraries=libraries,
            stopwatch=self._stopwatch,
        )

    def _new_packed_weights(self) -> PackedWeights | None:
        if not can_pack(device=self._device, dtype=self._dtype):
            return None
        return PackedWeights(bytes_max=None if self.plan is None else self.plan.packed)

    def _new_libraries(
        self, rank_rows: int, *, compiling: Compiling | None
    ) -> CompiledPasses | None:
        """Return what passes may run that are compiled beside the server."""
        network = self._base.network
        # They are built for weights that are kept in what they are computed in.
        can_build = network.library_config is not None and self._base.precision.storage is None
        if compiling is None or not can_build:
            return None
        return libraries_of(
            network.module,
            binding=self._bindings[network.component],
            device=self._device,
            dtype=self._dtype,
            rank_rows=rank_rows,
            compiling=compiling,
        )

    def _free_memory(self) -> None:
        """Let go of what can be made again."""
        for binding in self._bindings.values():
            binding.kept.clear()
            binding.scratch.clear()
        self._denoiser.free_memory()
        self._text.kept.clear()
        if self._device.type == "cuda":
            torch.cuda.empty_cache()

    def _open(self, spec: RowSpec) -> Row | EngineError:
        if spec.is_merged_only and not self.can_merge:
            return no_merged_copy()
        worn = [] if spec.is_merged_only else adapters_of(spec.stack)
        try:
            with translating_out_of_memory(self._free_memory):
                slots = self.slots.acquire(worn)
        except EngineError as error:
            return error
        try:
            with translating_out_of_memory(self._free_memory):
                return begin_row(
                    spec,
                    slots=slots,
                    conditioning=self._text.encode(spec, slots=slots),
                    samplers=self._samplers,
                    space=self._space,
                    blocks=self._blocks,
                    image_tokens=self._base.image_tokens(spec.drawing.size),
                )
        except Exception as error:
            for slot in slots:
                self.slots.release(slot)
            if isinstance(error, EngineError):
                return error
            raise
