# SPDX-License-Identifier: Apache-2.0
"""What a tenant may ask for in a minute."""

import pytest

from tabard_server.errors import Overloaded
from tabard_server.jobs.budgets import Budgets
from tabard_server.limits import TenantLimits, Tenants

SMALL = Tenants([TenantLimits(name="small", pixel_steps_per_minute=60.0)])


def test_spent_budget_says_when_to_come() -> None:
    """And who comes then gets in; others have none to spend."""
    now = [0.0]
    budgets = Budgets(SMALL, clock=lambda: now[0])
    budgets.take(50.0, tenant="small")

    with pytest.raises(Overloaded) as refusal:
        budgets.take(30.0, tenant="small")

    budgets.take(1e9, tenant="other")
    assert (refusal.value.reason, refusal.value.retry_seconds) == ("PIXEL_STEPS_SPENT", 20.0)
    now[0] = 20.0
    budgets.take(30.0, tenant="small")


def test_large_job_takes_a_full_budget() -> None:
    """It is not refused for ever, and is paid for by those after it."""
    now = [0.0]
    budgets = Budgets(SMALL, clock=lambda: now[0])
    budgets.take(120.0, tenant="small")

    with pytest.raises(Overloaded) as refusal:
        budgets.take(60.0, tenant="small")
    assert refusal.value.retry_seconds == 120.0


def test_what_was_not_used_comes_back() -> None:
    """All of it."""
    budgets = Budgets(SMALL, clock=lambda: 0.0)
    budgets.take(60.0, tenant="small")
    budgets.give_back(60.0, tenant="small")
    budgets.give_back(60.0, tenant="other")

    budgets.take(60.0, tenant="small")
