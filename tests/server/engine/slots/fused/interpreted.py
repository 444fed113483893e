# SPDX-License-Identifier: Apache-2.0
"""Triton's kernels on a CPU: its interpreter runs what is decorated while the variable is set."""

import importlib
import os
import sys
from typing import Any

_KERNEL = "tabard_server.engine.slots.fused.kernel"


def interpreted_kernel() -> Any:
    """Return the module of the kernel as the interpreter runs it; for a process without a GPU."""
    already = os.environ.get("TRITON_INTERPRET")
    os.environ["TRITON_INTERPRET"] = "1"
    try:
        sys.modules.pop(_KERNEL, None)
        return importlib.import_module(_KERNEL)
    finally:
        if already is None:
            del os.environ["TRITON_INTERPRET"]
