# SPDX-License-Identifier: Apache-2.0
"""`make gpu-check`: whether Tabard does on a GPU what it promises, in at most five minutes.

The tests that need a CUDA device, file by file, and a server on the device. Runs on whatever
interpreter it is given. Writes `gpu-check.json` after every part, `gpu-check.md`, and a section of
docs/benchmarks.md. `--rehearse` collects the tests and serves on a CPU.
"""

import sys
import time
from collections.abc import Sequence
from math import inf
from pathlib import Path

from tests.gpu.ground import stand_on
from tests.gpu.parts import Part, later
from tests.gpu.script import read_options, run_script

_BEGUN = time.monotonic()
_FOLDER = Path(__file__).parent
_LONG = "test_captured_graphs"
"""Compiles: it comes last."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Check and report; the exit status."""
    stand_on()
    options = read_options("check", __doc__, arguments)
    parts = parts_of(is_rehearsal=options.rehearse)
    return run_script("check", parts=parts, options=options, begun=_BEGUN)


def parts_of(*, is_rehearsal: bool) -> list[Part]:
    """Return the parts: a server, then each file of tests."""
    sizes = "REHEARSAL" if is_rehearsal else "FULL"
    serve = later("tests.gpu.measure.demo:serve_demo", sizes=sizes)
    test = later("tests.gpu.measure.files:run_tests")
    names = sorted((file.stem for file in files_for_a_gpu()), key=lambda name: name == _LONG)
    tests = [
        Part(
            name=name,
            run=test(f"tests/gpu/{name}.py", is_rehearsal),
            seconds_min=10.0,
            seconds_max=inf if is_rehearsal else 150.0,
        )
        for name in names
    ]
    most = inf if is_rehearsal else 60.0
    return [Part(name="served", run=serve(), seconds_min=15.0, seconds_max=most), *tests]


def files_for_a_gpu() -> list[Path]:
    """Return the files in this folder whose tests need a device."""
    files = _FOLDER.glob("test_*.py")
    return [file for file in files if "mark.gpu" in file.read_text(encoding="utf-8")]


if __name__ == "__main__":
    sys.exit(main())
