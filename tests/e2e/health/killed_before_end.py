# SPDX-License-Identifier: Apache-2.0
"""`python -m tests.e2e.health.killed_before_end`: a server that is killed after a verdict.

It has judged a canary, and dies as by `kill -9` before the record of the end is written.
"""

import os
import signal
import sys
from typing import Any

from tabard_server.__main__ import main
from tabard_server.canary import conductor


def die(*_args: Any, **_words: Any) -> None:
    """End this process at once."""
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    conductor.end_canary = die  # type: ignore[assignment]
    sys.exit(main(sys.argv[1:]))
