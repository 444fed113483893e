# SPDX-License-Identifier: Apache-2.0
"""What fits is allowed, and what does not is refused by its parts."""

from dataclasses import replace

import pytest

from tabard_server.engine_port.errors import MemoryTooSmall
from tabard_server.engine_port.memory import MemoryPlan

PLAN = MemoryPlan(base=10, slots=20, merged=30, gathered=5, activations=35, free=100)


def test_what_fits_is_allowed() -> None:
    """All that there is may be used, and where nobody knows what there is, nothing is refused."""
    PLAN.require()
    replace(PLAN, free=None, base=1 << 60).require()


def test_what_does_not_fit_is_refused_by_parts() -> None:
    """The refusal says how much of what, and which settings would help."""
    with pytest.raises(MemoryTooSmall) as caught:
        replace(PLAN, free=99).require()

    assert all(name in str(caught.value) for name in ("base", "slots", "merged", "activations"))
    assert "slot_rank_total" in caught.value.hint
