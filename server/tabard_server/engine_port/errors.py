# SPDX-License-Identifier: Apache-2.0
"""What can go wrong in the engine, told so that a caller can act on it.

EngineError
├── BaseNotLoadable    the base cannot be served: start-up stops
│   └── MemoryTooSmall     it would not fit beside what the settings ask for
├── UnknownSampler     no sampler of that name
│   └── SamplerNotServed   the name is known, but it cannot run here
├── UnknownSchedule    no schedule of that name
│   ├── ScheduleNotServed  the name is known, but no sampler walks that way
│   └── UnknownSpacing     no timestep spacing of that name
├── RowNotPossible     the request asks for what this base or sampler cannot do
├── PromptTooLong      more tokens than the text encoder takes
├── SlotsExhausted     the stack does not fit into the slots
├── AdapterMismatch    an adapter names layers or widths this base lacks
├── MergedTooLarge     the copy that a stack must be merged into is over its limit
├── DeviceMemoryFull   the device has no room for a pass; fewer rows may have
└── RowNotFinite       NaN or Inf in one row; its neighbours are unharmed
"""


class EngineError(Exception):
    """A failure of the engine with a stable reason and advice.

    Attributes:
        reason: Stable code in upper snake case.
        hint: What the caller can do next.
    """

    reason = "ENGINE_ERROR"

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class BaseNotLoadable(EngineError):
    """The base pipeline cannot be loaded or is of a family that is not served."""

    reason = "BASE_NOT_LOADABLE"


class MemoryTooSmall(BaseNotLoadable):
    """Base, slots, merged copy and a full batch do not fit into the device's memory."""

    reason = "MEMORY_TOO_SMALL"


class UnknownSampler(EngineError):
    """No sampler goes by that name."""

    reason = "UNKNOWN_SAMPLER"


class SamplerNotServed(UnknownSampler):
    """The sampler is known by that name, and cannot run row by row, or not on this base."""

    reason = "SAMPLER_NOT_SERVED"


class UnknownSchedule(EngineError):
    """No schedule goes by that name."""

    reason = "SCHEDULE_UNKNOWN"


class ScheduleNotServed(UnknownSchedule):
    """The schedule is known by that name, and no sampler here walks that way."""

    reason = "SCHEDULE_NOT_SERVED"


class UnknownSpacing(UnknownSchedule):
    """No timestep spacing goes by that name."""

    reason = "TIMESTEP_SPACING_UNKNOWN"


class RowNotPossible(EngineError):
    """A request asks for what this base or this sampler cannot do; the reason says which."""

    reason = "ROW_NOT_POSSIBLE"

    def __init__(self, message: str, *, reason: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.reason = reason


class PromptTooLong(EngineError):
    """A prompt has more tokens than the text encoder takes."""

    reason = "PROMPT_TOO_LONG"


class SlotsExhausted(EngineError):
    """A stack needs more rank than all slots together have."""

    reason = "SLOTS_EXHAUSTED"


class AdapterMismatch(EngineError):
    """An adapter names layers or widths that this base does not have."""

    reason = "ADAPTER_MISMATCH"


class MergedTooLarge(EngineError):
    """A stack changes more of the base than the merged copy may hold."""

    reason = "MERGED_TOO_LARGE"


class DeviceMemoryFull(EngineError):
    """The device has no memory left for what was asked of it."""

    reason = "DEVICE_MEMORY_FULL"


class RowNotFinite(EngineError):
    """A row's latents became NaN or Inf."""

    reason = "ROW_NOT_FINITE"


def no_merged_copy() -> MergedTooLarge:
    """Return the refusal of a stack that would need what this server was told not to keep."""
    return MergedTooLarge(
        "this server keeps no merged copy of the base, and the stack is not low-rank",
        hint="serve with merged_copy = true, which may take the memory of a second UNet",
    )
