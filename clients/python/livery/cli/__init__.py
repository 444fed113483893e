# SPDX-License-Identifier: Apache-2.0
"""The command line `livery`: one small file for each group of commands."""

from livery.cli.program import main, run

__all__ = ["main", "run"]
