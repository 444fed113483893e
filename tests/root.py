# SPDX-License-Identifier: Apache-2.0
"""Where the repository lies, for tests that read its files or start its programs."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def run_python(*arguments: str, hash_seed: str = "0") -> str:
    """Run Python in the repository, with hashes of its own; return what it printed."""
    return subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
