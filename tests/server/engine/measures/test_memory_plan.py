# SPDX-License-Identifier: Apache-2.0
"""What a server will use is known before it starts, and refused where it cannot be had."""

from pathlib import Path

import pytest
import torch

from tabard_server.engine.base.loading import Base, load_base
from tabard_server.engine.load_engine import EngineSettings, load_engine
from tabard_server.engine.measures.memory_plan import free_bytes, plan_memory
from tabard_server.engine_port.memory import MemoryPlan


@pytest.fixture(scope="module")
def base(tiny_base: Path) -> Base:
    return load_base(str(tiny_base))


def _plan(base: Base, **changes: object) -> MemoryPlan:
    asked = {"dtype": torch.float32, "slot_rank_total": 64, "rows_per_step_max": 4}
    asked |= {"can_merge": True, "free_bytes": None}
    return plan_memory(base, **{**asked, **changes})  # type: ignore[arg-type]


def test_plan_is_what_the_engine_takes(tiny_base: Path, base: Base) -> None:
    """Base and slots are counted to the byte."""
    engine = load_engine(EngineSettings(base=str(tiny_base), device="cpu", slot_rank_total=64))
    models = engine._base.models.values()
    tensors = [t for model in models for t in (*model.parameters(), *model.buffers())]
    slots = [
        t for m in models for name, t in m.named_buffers() if name.split(".")[-1][:5] == "slot_"
    ]
    slot_bytes = sum(tensor.nbytes for tensor in slots)

    plan = _plan(base)

    assert plan.slots == slot_bytes
    found = sum(4 * tensor.numel() for tensor in tensors) - slot_bytes
    assert plan.base == found
    assert engine.plan is not None and engine.plan.slots == slot_bytes


def test_plan_follows_settings(base: Base) -> None:
    """Half the width, half the bytes; more rows, more activations; no copy, no bytes for it."""
    plan = _plan(base)

    assert _plan(base, dtype=torch.float16).base * 2 == plan.base
    assert _plan(base, rows_per_step_max=8).activations == 2 * plan.activations
    assert _plan(base, can_merge=False).merged == 0 < plan.merged
    assert plan.activations > 64 * 64 * 4


def test_activations_are_what_a_step_takes(base: Base) -> None:
    """The estimate is of the size that a real pass allocates: not a tenth, not ten times."""
    side = base.native_pixels // base.latent_factor
    from torch.profiler import ProfilerActivity, profile  # noqa: PLC0415 - slow to import

    with torch.no_grad(), profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        base.unet(
            torch.zeros(8, 4, side, side),
            torch.zeros(8, dtype=torch.long),
            encoder_hidden_states=torch.zeros(8, 77, base.unet.config.cross_attention_dim),
        )
    largest = max(event.self_cpu_memory_usage for event in seen.events())

    assert largest <= _plan(base).activations <= 1_000 * largest


def test_machine_says_what_is_free(base: Base) -> None:
    """There is a number, and it is at least what the base takes already."""
    free = free_bytes(torch.device("cpu"), base=base)

    assert free is None or free > _plan(base).base
