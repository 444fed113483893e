# SPDX-License-Identifier: Apache-2.0
"""Parts of a script under one budget of time, each in a process of its own.

A part tells what it found bit by bit; after each bit all that is known is written to a file. A part
that fails or takes too long ends alone. One for which the time does not suffice is left out, by
name. Processes are forked, so that libraries are imported once: the parent never touches a device.
"""

import json
import multiprocessing
import os
import signal
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import partial
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

Tell = Callable[[Mapping[str, Any]], None]
"""Takes what a part found; a later value of the same name takes the place of the earlier."""

GRACE_SECONDS = 8.0
"""For a part that is stopped, to stop what it started."""
_POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One thing to do.

    Attributes:
        name: What it is called.
        run: Does it; can be pickled.
        seconds_min: With less time left it is not begun.
        seconds_max: It is stopped after so long.
    """

    name: str
    run: Callable[[Tell], None]
    seconds_min: float = 5.0
    seconds_max: float = 120.0


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What came of a part.

    Attributes:
        state: `done`, `failed`, `stopped` (it took too long) or `left out` (no time for it).
        seconds: What it took.
        found: What it told.
        why: What failed, or how much time there was.
    """

    state: str = "running"
    seconds: float = 0.0
    found: dict[str, Any] = field(default_factory=dict)
    why: str = ""


def later(function: str, *, sizes: str | None = None) -> Callable[..., Callable[[Tell], None]]:
    """Return what makes calls of a function that is imported when they are made.

    Args:
        function: `module:name`; its last argument takes what is told.
        sizes: Name of the sizes that are its first argument; None: it has none.
    """

    def make(*arguments: object) -> Callable[[Tell], None]:
        return partial(_call, function, sizes, arguments)

    return make


def _call(function: str, sizes: str | None, arguments: Sequence[object], tell: Tell) -> None:
    module, _, name = function.partition(":")
    first = []
    if sizes is not None:
        first.append(getattr(import_module("tests.gpu.measure.sizes"), sizes))
    getattr(import_module(module), name)(*first, *arguments, tell)


class Results:
    """A file that always holds what is known so far.

    Attributes:
        parts: What came of each.
    """

    def __init__(self, path: Path, *, script: str, is_continued: bool = False) -> None:
        """Begin the file, or go on with what it says of parts that are not run again."""
        self.path, self._script = path, script
        self.parts: dict[str, Outcome] = {}
        if is_continued and path.exists():
            told = json.loads(path.read_text(encoding="utf-8"))
            self.parts = {name: Outcome(**one) for name, one in told["parts"].items()}
        self.write()

    def all(self) -> dict[str, Any]:
        """Return what the file says."""
        parts = {name: asdict(outcome) for name, outcome in self.parts.items()}
        return {"script": self._script, "parts": parts}

    def write(self) -> None:
        """Put it all on the disk, or nothing of it."""
        text = json.dumps(self.all(), indent=1)
        new = self.path.with_suffix(".new")
        new.write_text(text + "\n", encoding="utf-8")
        new.replace(self.path)


def run_parts(
    parts: Sequence[Part],
    results: Results,
    *,
    ends_at: float,
    clock: Callable[[], float] = time.monotonic,
    start: str = "fork",
) -> None:
    """Run parts in order until the clock shows `ends_at`; stopping the last one is within that.

    Args:
        parts: What to do.
        results: Where to write what is known.
        ends_at: When all of it is to be over.
        clock: Tells seconds.
        start: How `multiprocessing` starts a process: `fork` or `spawn`.
    """
    for part in parts:
        left = ends_at - clock() - GRACE_SECONDS
        outcome = results.parts[part.name] = Outcome()
        if left < part.seconds_min:
            outcome.state = "left out"
            outcome.why = f"{max(0.0, left):.0f} s are left, and it needs {part.seconds_min:.0f}"
        else:
            results.write()
            seconds = min(left, part.seconds_max)
            _run(part, outcome, results, seconds=seconds, clock=clock, start=start)
        results.write()
        told = f": {outcome.why.strip().splitlines()[-1]}" if outcome.why else ""
        print(f"{part.name}: {outcome.state}, {outcome.seconds:.0f} s{told}", flush=True)


def _run(
    part: Part,
    outcome: Outcome,
    results: Results,
    *,
    seconds: float,
    clock: Callable[[], float],
    start: str,
) -> None:
    begun = clock()
    context: Any = multiprocessing.get_context(start)
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(part, theirs))
    process.start()
    theirs.close()
    with ours:
        while (told := _next(ours, until=begun + seconds, clock=clock)) is not None:
            if "why" in told:
                outcome.state, outcome.why = "failed", told["why"]
            else:
                outcome.found.update(told["found"])
            outcome.seconds = clock() - begun
            results.write()
    is_late = clock() - begun >= seconds
    process.join(0.0 if is_late else GRACE_SECONDS)
    if process.is_alive():
        _stop(process)
    outcome.seconds = clock() - begun
    if outcome.state != "running":
        return
    if is_late:
        outcome.state, outcome.why = "stopped", f"it had {seconds:.0f} s"
    elif process.exitcode == 0:
        outcome.state = "done"
    else:
        outcome.state, outcome.why = "failed", f"its process ended with {process.exitcode}"


def _next(pipe: Connection, *, until: float, clock: Callable[[], float]) -> dict[str, Any] | None:
    """Return what a part tells next; None: nothing more comes, or the time is over."""
    while clock() < until:
        if pipe.poll(_POLL_SECONDS):
            try:
                told: dict[str, Any] = pipe.recv()
            except EOFError:
                return None
            return told
    return None


def _work(part: Part, pipe: Connection) -> None:
    """Be the process of a part: a group of its own, that ends in order when it is told to."""
    os.setsid()
    signal.signal(signal.SIGTERM, _leave)
    try:
        part.run(lambda found: pipe.send({"found": dict(found)}))
    except Exception:
        pipe.send({"why": traceback.format_exc()})
        raise SystemExit(1) from None
    finally:
        pipe.close()


def _leave(*_: object) -> None:
    raise SystemExit(1)


def _stop(process: Any) -> None:
    """Ask it to end, then end its group."""
    process.terminate()
    process.join(GRACE_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.join()
