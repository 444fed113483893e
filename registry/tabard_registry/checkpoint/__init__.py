# SPDX-License-Identifier: Apache-2.0
"""Checkpoints: the state at one position of the log as one file, so that opening is quick.

Derived: whatever is missing or damaged is passed over, and the log is read instead.
"""

from tabard_registry.checkpoint.files import Checkpoints

__all__ = ["Checkpoints"]
