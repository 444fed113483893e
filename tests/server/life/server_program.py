# SPDX-License-Identifier: Apache-2.0
"""A server on the fake engine as a process: `python -m tests.server.life.server_program WORDS`.

WORDS is a JSON object: `folder`, `settings`, and what shall be stuck: `step`, `load`, `start`; or
`steps`, of which as many happen as the file `allowed` says.
"""

import json
import os
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tabard_registry import Registry
from tabard_server.engine_port.stack import HostAdapterLike
from tabard_server.life.process import run_to_the_end
from tabard_server.serving import serve
from tabard_server.settings import Settings
from tabard_server.startup.resources import Resources
from tabard_server.telemetry.logs import set_up_logging
from tabard_server.telemetry.metrics import Metrics
from tests.server.fakes import FakeEngine, FakeLoader, FakeRow

LONG_SECONDS = 3_600.0
POLL_SECONDS = 0.01


class Left:
    """What is left when Python ends: garbage that says when it is searched for and found."""

    def __init__(self, found: Path) -> None:
        """Take the file that shall be there once this was found."""
        self._itself = self
        self._say = os.mkdir, str(found)

    def __del__(self) -> None:
        make, name = self._say
        make(name)


class StuckEngine(FakeEngine):
    """Never ends a step; a file is there once it has begun one."""

    def __init__(self, begun: Path) -> None:
        """Take the file."""
        super().__init__()
        self.hold_steps()
        self._begun = begun

    def step(self, rows: Sequence[FakeRow], *, is_merged: bool) -> None:
        """Begin, and wait for what nobody allows."""
        self._begun.touch()
        super().step(rows, is_merged=is_merged)


def allow(engine: FakeEngine, file: Path) -> None:
    """Let so many steps happen as a file says, all told."""
    allowed = 0
    while True:
        if file.exists() and (more := int(file.read_text()) - allowed) > 0:
            engine.allow(more)
            allowed += more
        time.sleep(POLL_SECONDS)


def main(words: dict[str, Any]) -> int:
    """Serve until a signal comes."""
    folder, stuck = Path(words["folder"]), words.get("stuck", "")
    set_up_logging(log_format="text")
    sys.modules[__name__].left = Left(folder / "garbage-found")  # type: ignore[attr-defined]

    def load(settings: Settings, _metrics: Metrics) -> Resources:
        (folder / "loading").touch()
        if stuck == "start":
            threading.Event().wait(LONG_SECONDS)
        registry = Registry.open(settings.registry)
        fake = FakeLoader(registry)

        def load_adapter(digest: str) -> HostAdapterLike:
            if stuck == "load":
                (folder / "load-stuck").touch()
                threading.Event().wait(LONG_SECONDS)
            return fake(digest)

        engine = FakeEngine(step_seconds=words.get("step_seconds", 0.0))
        if stuck == "step":
            engine = StuckEngine(folder / "step-stuck")
        if stuck == "steps":
            engine.hold_steps()
            threading.Thread(target=allow, args=(engine, folder / "allowed"), daemon=True).start()
        return Resources(engine=engine, registry=registry, load_adapter=load_adapter)

    settings = Settings(
        **{
            "listen": "127.0.0.1:0",
            "metrics_listen": "",
            "registry": (folder / "registry").as_uri(),
            "cache": str(folder / "cache"),
            "ready_file": str(folder / "ready.json"),
            **words.get("settings", {}),
        }
    )
    return run_to_the_end(serve(settings, load=load))


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
