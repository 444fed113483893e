# SPDX-License-Identifier: Apache-2.0
"""Examines the place of a registry: whether its store keeps the one promise that a log needs.

A store comes in, a diagnosis goes out. Trial objects lie below `doctor/` and are removed
afterwards; nothing else is written. Knows no client of any store.
"""

from tabard_registry.upkeep.doctor.diagnosis import Check, Diagnosis, Verdict
from tabard_registry.upkeep.doctor.examination import examine, require_safe

__all__ = ["Check", "Diagnosis", "Verdict", "examine", "require_safe"]
