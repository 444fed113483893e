# SPDX-License-Identifier: Apache-2.0
"""`make gpu-bench`: what a step, a swap and a server do on a GPU, in at most five minutes.

Models of SD1.5's and SDXL's size with random weights, at 512² and 1024²: nothing is downloaded.
Runs on whatever interpreter it is given. Writes `gpu-bench.json` after every bit that it found,
`gpu-bench.md`, and a section of docs/benchmarks.md. `--rehearse` does the same with toy sizes on a
CPU. `--only` keeps what the file of results says of other parts.
"""

import sys
import tempfile
import time
from collections.abc import Sequence
from math import inf
from pathlib import Path

from tests.gpu.ground import stand_on
from tests.gpu.parts import Part, later
from tests.gpu.script import read_options, run_script

_BEGUN = time.monotonic()
_COMPILED = ("--set", "compiled=true")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and report; the exit status."""
    stand_on()
    options = read_options("bench", __doc__, arguments)
    with tempfile.TemporaryDirectory(prefix="tabard-gpu-") as folder:
        parts = parts_of(Path(folder), is_rehearsal=options.rehearse)
        return run_script("bench", parts=parts, options=options, begun=_BEGUN)


def parts_of(folder: Path, *, is_rehearsal: bool) -> list[Part]:
    """Return the parts, those that matter most first; `folder` is for what they share."""
    sizes = "REHEARSAL" if is_rehearsal else "FULL"
    steps = later("tests.gpu.measure.steps:measure_steps", sizes=sizes)
    engine = later("tests.gpu.measure.engine:measure_engine", sizes=sizes)
    served = later("tests.gpu.measure.served:measure_served", sizes=sizes)
    parts = [
        ("sd15 eager", steps("sd15", False), 15.0, 60.0),
        ("engine", engine(folder), 25.0, 80.0),
        ("sd15 compiled", steps("sd15", True), 45.0, 140.0),
        ("served", served(folder, ()), 50.0, 110.0),
        ("sdxl eager", steps("sdxl", False), 25.0, 80.0),
    ]
    if not is_rehearsal:  # a CPU traces and compiles for minutes, and both are parts of others
        parts += [
            ("sdxl compiled", steps("sdxl", True), 80.0, 280.0),
            ("served compiled", served(folder, _COMPILED), 100.0, 280.0),
        ]
    return [
        Part(name=name, run=run, seconds_min=least, seconds_max=inf if is_rehearsal else most)
        for name, run, least, most in parts
    ]


if __name__ == "__main__":
    sys.exit(main())
