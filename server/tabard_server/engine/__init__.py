# SPDX-License-Identifier: Apache-2.0
"""The room of the resident base: adapters per row, one denoise step at a time.

In: row specs and host adapters. Out: pixels. It must not know jobs, refs, queues or the registry's
log. Everything here runs on one thread, but for `PromptReader`, of which each thread has its own.
"""

from tabard_server.engine.base.profile import profile_of
from tabard_server.engine.engine import Engine
from tabard_server.engine.load_engine import EngineSettings, load_engine
from tabard_server.engine.row import Row
from tabard_server.engine.sampling.readback import Developing, Pixels
from tabard_server.engine.sampling.samplers import SAMPLERS, resolve_sampler
from tabard_server.engine.text.prompt_reader import PromptReader, PromptReading
from tabard_server.engine_port.errors import (
    AdapterMismatch,
    BaseNotLoadable,
    DeviceMemoryFull,
    EngineError,
    MemoryTooSmall,
    MergedTooLarge,
    PromptTooLong,
    RowNotFinite,
    RowNotPossible,
    SamplerNotServed,
    SlotsExhausted,
    UnknownSampler,
)
from tabard_server.engine_port.memory import MemoryPlan
from tabard_server.engine_port.row_spec import Picture, PromptStyle, RowSpec

__all__ = [
    "SAMPLERS",
    "AdapterMismatch",
    "BaseNotLoadable",
    "Developing",
    "DeviceMemoryFull",
    "Engine",
    "EngineError",
    "EngineSettings",
    "MemoryPlan",
    "MemoryTooSmall",
    "MergedTooLarge",
    "Picture",
    "Pixels",
    "PromptReader",
    "PromptReading",
    "PromptStyle",
    "PromptTooLong",
    "Row",
    "RowNotFinite",
    "RowNotPossible",
    "RowSpec",
    "SamplerNotServed",
    "SlotsExhausted",
    "UnknownSampler",
    "load_engine",
    "profile_of",
    "resolve_sampler",
]
