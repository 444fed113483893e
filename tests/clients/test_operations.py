# SPDX-License-Identifier: Apache-2.0
"""What a server plans to use of its device adds up."""

from tabard.operations import MemoryPlan


def test_total_leaves_out_what_is_free() -> None:
    """Everything else is used."""
    plan = MemoryPlan(
        base_bytes=1,
        slot_bytes=20,
        merged_bytes=300,
        gathered_bytes=4_000,
        activation_bytes=50_000,
        free_bytes=600_000,
        rows_per_step=8,
        chosen=(),
        packed_bytes=7_000_000,
        text_bytes=80_000_000,
    )

    assert plan.total_bytes == 87_054_321
