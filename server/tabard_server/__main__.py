# SPDX-License-Identifier: Apache-2.0
"""`python -m tabard_server [settings.toml]`: a server from a file and `TABARD_*` variables."""

import argparse
import os
import sys
from pathlib import Path

from tabard_registry import RegistryError
from tabard_server.engine_port.errors import EngineError
from tabard_server.errors import ServerError
from tabard_server.life.process import run_to_the_end
from tabard_server.startup.late_imports import garbage_kept
from tabard_server.startup.prelude import prepare
from tabard_server.telemetry.logs import log_problem, set_up_logging


def main(arguments: list[str]) -> int:
    """Serve until stopped; return the exit code: 0, or 2 when the server could not start.

    The process ends by itself with 10 when a thread of it is still at work after its bound.
    """
    file: Path | None = _parser().parse_args(arguments).settings
    set_up_logging()
    try:
        settings = prepare(file=file, environment=os.environ)
        with garbage_kept():
            from tabard_server.serving import serve  # noqa: PLC0415 - half a second: late

        return run_to_the_end(serve(settings))
    except (ServerError, RegistryError, EngineError) as error:
        log_problem("server.refused", reason=error.reason, message=str(error), hint=error.hint)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tabard_server",
        description="Serve images until stopped, without the command line of the SDK.",
        epilog="Every setting is also a variable, like TABARD_LISTEN or TABARD_LIMITS_STEPS_MAX; "
        "variables win over the file. `tabard config example` writes a file with all of them, and "
        "`tabard serve --help` has the same server with options.",
    )
    parser.add_argument("settings", nargs="?", type=Path, help="settings as TOML; default: none")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
