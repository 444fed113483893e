# SPDX-License-Identifier: Apache-2.0
"""What the server asks of an engine: the seam between the loop and the tensors.

`tabard_server.engine.engine.Engine` is the real one; tests bring their own. Everything here is
called from the one engine thread, but for prompt readers, of which each thread takes its own, and
the hashing of weights.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeVar

from tabard_registry import BaseProfile
from tabard_server.engine_port.base_facts import BaseFacts
from tabard_server.engine_port.costs import Compiled, Costs, TextCounts
from tabard_server.engine_port.drawing import Pixels
from tabard_server.engine_port.errors import EngineError
from tabard_server.engine_port.memory import MemoryPlan
from tabard_server.engine_port.prompt_style import PromptReading, PromptStyle
from tabard_server.engine_port.row_spec import RowSpec
from tabard_server.engine_port.stack import Resident, StackKey
from tabard_server.engine_port.work import Work


class RowLike(Protocol):
    """An image on its way."""

    failure: EngineError | None

    @property
    def steps_done(self) -> int:
        """Forward passes behind it."""

    @property
    def steps_total(self) -> int:
        """Forward passes in all."""

    @property
    def is_done(self) -> bool:
        """Whether it can be decoded."""


class ReadbackLike(Protocol):
    """An image on its way to host memory."""

    def pixels(self) -> Pixels:
        """Wait for it; from any thread. Raises `EngineError` when it came to nothing."""


class PromptReaderLike(Protocol):
    """Counts tokens without encoding anything."""

    def read(self, prompt: str, tokens: Mapping[str, int], style: PromptStyle) -> PromptReading:
        """Read a prompt; `tokens` gives the vectors of each placeholder.

        Raises:
            RowNotPossible: The prompt is not written in that style.
        """


R = TypeVar("R", bound=RowLike)


class EnginePort(Protocol[R]):
    """One base, any mix of adapters in a batch, one denoise step at a time."""

    @property
    def profile(self) -> BaseProfile:
        """Layers, widths and fingerprints of the base."""

    @property
    def source(self) -> str:
        """Where the base came from, as the user wrote it."""

    @property
    def device(self) -> str:
        """Like `cpu` or `cuda:0`."""

    @property
    def facts(self) -> BaseFacts:
        """What the base can draw."""

    def new_prompt_reader(self) -> PromptReaderLike:
        """Return a reader for another thread."""

    def resolve_sampler(self, name: str) -> str:
        """Return the short name of a sampler in any spelling; from any thread.

        Raises:
            UnknownSampler: No sampler goes by that name, or it cannot run on this base.
        """

    @property
    def loaded_fingerprints(self) -> Mapping[str, str]:
        """Component to fingerprint of what was loaded, rounded as it is kept."""

    def hash_weights(self, *, between: Callable[[], None]) -> Mapping[str, str]:
        """Hash the weights in memory: `loaded_fingerprints`, unless something has changed them.

        From any one thread while others step, for nothing writes these weights.

        Args:
            between: Called after each piece of the work; may wait, or raise to end it.
        """

    @property
    def plan(self) -> MemoryPlan | None:
        """What it uses of the device; None: nobody asked."""

    @property
    def can_merge(self) -> bool:
        """Whether there may be a merged copy."""

    @property
    def merged_stack(self) -> StackKey:
        """What the merged copy wears; empty: nothing."""

    def costs(self) -> Costs:
        """Return what pieces of work took lately."""

    @property
    def texts(self) -> TextCounts:
        """Prompts that were found encoded, or were encoded."""

    @property
    def compiled(self) -> Compiled | None:
        """How far its compiled passes are; None: nobody asked for any. From any thread."""

    @property
    def work(self) -> Work:
        """What calls take by the size of the image; from any thread."""

    def can_open(self, spec: RowSpec) -> bool:
        """Say whether the slots have room for this row's stack now."""

    def open_rows(self, specs: Sequence[RowSpec]) -> Sequence[R | EngineError]:
        """Begin images; one that cannot begin gives its error."""

    def step(self, rows: Sequence[R], *, is_merged: bool) -> None:
        """Take one denoise step for rows of one pixel size, in one forward pass.

        Args:
            rows: They wear one stack if the step is merged.
            is_merged: On a merged copy of the base.
        """

    def preview(self, row: R) -> ReadbackLike:
        """Begin to decode a rough look, uint8 `[h, w, 3]`."""

    def decode(self, row: R) -> ReadbackLike:
        """Begin to decode the image of a done row, uint8 `[height, width, 3]`."""

    def close_row(self, row: R) -> None:
        """Give a row's slots back. Idempotent."""

    def forget(self, digest: str) -> bool:
        """Empty the slot of a release unless a row wears it; say whether it lies here no more."""

    def residents(self) -> Sequence[Resident]:
        """Return what lies in the slots; from any thread."""

    @property
    def resident_bytes(self) -> int:
        """Bytes of all that lies in the slots."""

    def holds(self, digest: str) -> bool:
        """Say whether a release lies in the slots."""
