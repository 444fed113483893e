# SPDX-License-Identifier: Apache-2.0
"""How much memory a process may take for small files, whatever these say of themselves."""

from __future__ import annotations

import resource
from pathlib import Path

EXTRA_BYTES_MAX = 256 << 20
"""Address space beyond what the imported libraries take."""


def bounded() -> None:
    """Let every larger allocation of this process fail from now on."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + EXTRA_BYTES_MAX
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def peak_bytes() -> int:
    """Return the most memory that this process ever held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
