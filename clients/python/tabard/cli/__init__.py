# SPDX-License-Identifier: Apache-2.0
"""The command line `tabard`: the program, its commands, and what they share."""

from tabard.cli.program import main, run

__all__ = ["main", "run"]
