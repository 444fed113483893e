# SPDX-License-Identifier: Apache-2.0
"""Files of tests that need a device, run by pytest in the process of a part."""

import os
import re
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.gpu.ground import ROOT
from tests.gpu.parts import Tell

_OPTIONS = (
    # Warnings of other versions of libraries than those that are pinned say nothing of Tabard.
    *("-o", "filterwarnings=default", "-p", "no:cacheprovider", "-p", "no:xdist"),
    # Fixtures of all tests need libraries that these do not.
    *("--rootdir", str(ROOT), "--confcutdir", str(ROOT / "tests/gpu"), "-m", "gpu"),
)
_TOLD_CHARACTERS = 6_000
_COUNT = re.compile(r"\d+ (passed|failed|error|tests? collected|skipped|deselected)")


def run_tests(file: str, is_rehearsal: bool, tell: Tell) -> None:
    """Run a file of tests and tell how that ended; a rehearsal only finds them.

    Raises:
        AssertionError: A test failed, or there was none.
    """
    only = ("--collect-only",) if is_rehearsal else ()
    with TemporaryDirectory() as folder:
        log = Path(folder, "log")
        os.chdir(ROOT)
        # The process is this part's own: what is printed from here on is its log.
        with log.open("w") as sink:
            for stream in (sys.stdout, sys.stderr):
                os.dup2(sink.fileno(), stream.fileno())
        status = pytest.main([*_OPTIONS, *only, file])
        sys.stdout.flush()
        said = log.read_text(encoding="utf-8", errors="replace")
    counts = [line for line in said.splitlines() if _COUNT.search(line)]
    tell({"told": counts[-1].strip("= ") if counts else "it said nothing"})
    assert status == pytest.ExitCode.OK, said[-_TOLD_CHARACTERS:]
