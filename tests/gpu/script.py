# SPDX-License-Identifier: Apache-2.0
"""What both scripts share: their options, the machine, the order of things, and the report.

In: the name of a script and its parts. Out: `NAME.json` and `NAME.md` in a folder, and a
section of `docs/benchmarks.md`. Exit status 0: no part failed; parts that were left out or stopped
for want of time are named.
"""

import argparse
import os
import platform
import sys
import time
from collections.abc import Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.gpu.ground import ROOT, missing
from tests.gpu.parts import Part, Results, Tell, run_parts
from tests.gpu.section import DOCUMENT, MACHINE, put_section, section_of

SECONDS = 285.0

_LIBRARIES = ("torch", "diffusers", "peft", "transformers", "triton")


def read_options(name: str, says: str | None, arguments: Sequence[str] | None) -> Any:
    """Read the options of a script."""
    parser = argparse.ArgumentParser(prog=f"python -m tests.gpu.{name}", description=says)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="all that it may take")
    parser.add_argument("--out", type=Path, default=ROOT / ".gpu", help="where results go")
    parser.add_argument("--only", nargs="+", metavar="PART", help="some parts, in this order")
    parser.add_argument(
        "--rehearse", action="store_true", help="the same on a CPU with tiny sizes; no document"
    )
    parser.add_argument("--document", type=Path, help=f"default: {DOCUMENT.relative_to(ROOT)}")
    return parser.parse_args(arguments)


def run_script(name: str, *, parts: Sequence[Part], options: Any, begun: float) -> int:
    """Run the parts that are asked for, write what came of them, and return the exit status.

    Args:
        name: `check` or `bench`.
        parts: All of the script's.
        options: Those of `read_options`.
        begun: When the script began, by `time.monotonic`.
    """
    if lacking := missing():
        print(f"missing on this interpreter ({sys.executable}): {', '.join(lacking)}")
        return 2
    by_name = {part.name: part for part in parts}
    if unknown := [one for one in options.only or () if one not in by_name]:
        print(f"no part is called {', '.join(unknown)}; there are: {', '.join(by_name)}")
        return 2
    options.out.mkdir(parents=True, exist_ok=True)
    file = options.out / f"gpu-{name}.json"
    results = Results(file, script=name, is_continued=options.only is not None)
    chosen = [by_name[one] for one in options.only or by_name]
    look = Part(name=MACHINE, run=partial(tell_machine, options.rehearse), seconds_min=1.0)
    start = _import_once()
    run_parts([look, *chosen], results, ends_at=begun + options.seconds, start=start)
    section = section_of(results.all())
    (options.out / f"gpu-{name}.md").write_text(section + "\n", encoding="utf-8")
    document = options.document or (None if options.rehearse else DOCUMENT)
    if document is not None:
        put_section(document, name=name, section=section)
    print(section)
    return 1 if any(one.state == "failed" for one in results.parts.values()) else 0


def tell_machine(is_rehearsal: bool, tell: Tell) -> None:
    """Say what this runs on.

    Raises:
        AssertionError: There is no CUDA device, and it is no rehearsal.
    """
    import torch  # noqa: PLC0415 - the parent must not touch the device

    tell(
        {
            "day": time.strftime("%Y-%m-%d", time.gmtime()),
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "versions": {name: _version(name) for name in _LIBRARIES},
            "cuda": torch.version.cuda,
            "device": "cpu, a rehearsal",
        }
    )
    if is_rehearsal:
        return
    assert torch.cuda.is_available(), "torch finds no CUDA device; --rehearse does without"
    shape = torch.cuda.get_device_properties(0)
    tell(
        {
            "device": torch.cuda.get_device_name(0),
            "memory_bytes": shape.total_memory,
            "multiprocessors": shape.multi_processor_count,
        }
    )


def _import_once() -> str:
    """Import what parts need before they are started; return how they can be."""
    from diffusers import StableDiffusionPipeline  # noqa: PLC0415
    from torch import cuda  # noqa: PLC0415
    from transformers import CLIPTextModel  # noqa: PLC0415

    assert StableDiffusionPipeline and CLIPTextModel
    child = os.fork()
    if child == 0:
        os._exit(1 if cuda._is_in_bad_fork() else 0)
    return "fork" if os.waitpid(child, 0)[1] == 0 else "spawn"


def _version(name: str) -> str:
    try:
        return version(name)
    except ModuleNotFoundError:
        return "none"
