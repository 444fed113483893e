# SPDX-License-Identifier: Apache-2.0
"""The command line `tabard`: one small file for each group of commands."""

from tabard.cli.program import main, run

__all__ = ["main", "run"]
