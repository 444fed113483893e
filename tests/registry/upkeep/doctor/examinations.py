# SPDX-License-Identifier: Apache-2.0
"""Examinations at a fixed time."""

from tabard_registry.store.store import Store
from tabard_registry.upkeep.doctor import Check, Diagnosis, examine
from tests.registry.upkeep.doctor.broken_stores import NOW


def found(diagnosis: Diagnosis, name: str) -> Check:
    """The check of that name."""
    return next(check for check in diagnosis.checks if check.name == name)


def examined(store: Store) -> Diagnosis:
    """Examine at a fixed time."""
    return examine(store, clock=lambda: NOW)
