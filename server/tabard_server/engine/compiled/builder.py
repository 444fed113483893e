# SPDX-License-Identifier: Apache-2.0
"""Builds libraries beside the server: one process at a time, of low priority.

In: kinds of pass that are wanted. Out: files in the folder, or one failure that ends it. A thread
waits for the process and holds nothing; the server goes on without a library until it is there.
"""

import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from tabard_registry.scratch import Scratch
from tabard_server.engine.compiled.folder import LibraryFolder
from tabard_server.engine.compiled.graph import PassShape
from tabard_server.engine.compiled.order import BaseOrder, Order
from tabard_server.engine_port.costs import CAPTURED, OPENVINO
from tabard_server.telemetry.logs import log_event, log_problem

ORDERS_MAX = 32
"""In line; what is wanted beyond is wanted again with the next pass of its kind."""
BUILD_SECONDS_MAX = 3600.0
_PROGRAM = "tabard_server.engine.compiled.build"
COMPILERS = ("g++", "c++", "clang++")
_TOLD = 400
_MEBIBYTE = 1 << 20

Run = Callable[[Order, Path], dict[str, float]]
"""Builds what is ordered, in a scratch folder; says what it took. Raises `BuildFailed`."""


class BuildFailed(Exception):
    """A library was not built; no other would be."""


class Builder:
    """Builds what is wanted, in the order in which it was wanted."""

    def __init__(self, base: BaseOrder, *, folder: LibraryFolder, run: Run | None = None) -> None:
        """Take what libraries are for and where they go; nothing is started yet.

        Args:
            base: For which base.
            folder: Where they are kept.
            run: Builds one; None: in a process.
        """
        self._base, self._folder = base, folder
        self._run = run or run_process
        self._orders: queue.Queue[PassShape] = queue.Queue(maxsize=ORDERS_MAX)
        self._wanted: set[PassShape] = set()
        self._built: set[PassShape] = set()
        self._thread: threading.Thread | None = None
        self.failure = ""

    @property
    def waiting(self) -> int:
        """How many are wanted and not there, the one at work included; from any thread."""
        return 0 if self.failure else len(self._wanted) - len(self._built)

    def want(self, shape: PassShape) -> None:
        """Build this kind if it is not built or in line; returns at once."""
        if self.failure or shape in self._wanted:
            return
        with suppress(queue.Full):
            self._orders.put_nowait(shape)
            self._wanted.add(shape)
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="tabard-compiler", daemon=True)
            self._thread.start()

    def is_built(self, shape: PassShape) -> bool:
        """Say whether it was built since the start."""
        return shape in self._built

    def _work(self) -> None:
        with Scratch("compile") as scratch:
            while not self.failure:
                self._build(self._orders.get(), scratch=scratch.path)

    def _build(self, shape: PassShape, *, scratch: Path) -> None:
        order = Order(
            base=self._base,
            shape=shape,
            threads=torch.get_num_threads(),
            target=scratch / f"{shape.name}.so",
        )
        try:
            took = self._run(order, scratch)
            path = self._folder.keep(order.target, shape=shape)
            size = path.stat().st_size
        except (BuildFailed, OSError, ValueError) as error:
            failure = str(error)[:_TOLD] or type(error).__name__
            log_problem(
                "compile.failed",
                reason="COMPILE_FAILED",
                message=failure,
                hint="the base is served as it is; see what compiled = true needs",
            )
            self.failure = failure
            return
        self._built.add(shape)
        told: dict[str, Any] = {"mebibytes": size // _MEBIBYTE, **took}
        log_event("compile.built", library=shape.name, **told)


def run_process(order: Order, scratch: Path) -> dict[str, float]:
    """Build in a process of its own, which ends with this one."""
    if order.base.compiler != OPENVINO and not any(map(shutil.which, COMPILERS)):
        raise BuildFailed("a compiled base needs a C++ compiler, and none is here: install g++")
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "TMPDIR": str(scratch),
    }
    # On CUDA processors are idle, and the server looks for the kernels in its own folder.
    if order.base.compiler != CAPTURED:
        environment["TORCHINDUCTOR_COMPILE_THREADS"] = "1"
        environment["TORCHINDUCTOR_CACHE_DIR"] = str(scratch / "inductor")
    process = subprocess.Popen(
        [sys.executable, "-m", _PROGRAM],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        start_new_session=True,
        text=True,
    )
    try:
        said, complained = process.communicate(order.to_json(), timeout=BUILD_SECONDS_MAX)
    except subprocess.TimeoutExpired as error:
        raise BuildFailed(f"it took more than {BUILD_SECONDS_MAX:g} s") from error
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if process.returncode:
        lines = [line for line in complained.splitlines() if line.strip()]
        raise BuildFailed(f"the compiler ended with {process.returncode}: {' '.join(lines[-3:])}")
    took: dict[str, float] = json.loads(said.splitlines()[-1])
    return took
