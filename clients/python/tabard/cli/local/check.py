# SPDX-License-Identifier: Apache-2.0
"""Check files against a base in this process, without a server; needs the extra `server`.

The registry and the engine are imported only here and only when asked for.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tabard.calls.local_files import unreadable
from tabard.calls.uploads import report_like
from tabard.cli.local.extras import (
    SERVER_EXTRA,
    missing_extra,
    reported_as_invalid,
    require_base,
)
from tabard.releases.report import CheckReport


class LocalCheck:
    """The checks of one base, which is read once.

    Args:
        base: As after `--base`.
        words: What is said of it against its own words: prediction, is_zero_snr, family.

    Raises:
        FailedPrecondition: The extra `server` is not installed.
        InvalidArgument: The base cannot be loaded.
    """

    def __init__(self, base: str, **words: Any) -> None:
        require_base(base, needed_for="tabard check --base")
        with missing_extra(SERVER_EXTRA, needed_for="tabard check --base"):
            profiles: Any = importlib.import_module("tabard_server.engine.base.profile")
            schedules: Any = importlib.import_module("tabard_server.engine.base.schedules.schedule")
            engine_errors: Any = importlib.import_module("tabard_server.engine_port.errors")
            registry: Any = importlib.import_module("tabard_registry")
            pickles: Any = importlib.import_module("tabard_server.pickles.reader")
        self._intake: Any = importlib.import_module("tabard_registry.intake")
        self._errors = (engine_errors.EngineError, registry.RegistryError)
        self._read_pickle = pickles.read_in_sandbox
        with reported_as_invalid(*self._errors):
            self._profile = profiles.profile_of(base, asked=schedules.Asked(**words))

    def checked(
        self, files: Sequence[Path], *, kind: str = "", trigger_words: Sequence[str] = ()
    ) -> Any:
        """Give the checked reading that the registry publishes.

        Raises:
            InvalidArgument: A file cannot be read.
        """
        try:
            with reported_as_invalid(*self._errors):
                return self._intake.check(
                    files,
                    profile=self._profile,
                    kind=kind or None,
                    trigger_words=tuple(trigger_words),
                    limits=self._intake.IntakeLimits(),
                    pickles=self._read_pickle,
                )
        except OSError as error:
            raise unreadable(Path(error.filename or files[0]), error) from error

    def report(
        self, files: Sequence[Path], *, kind: str = "", trigger_words: Sequence[str] = ()
    ) -> CheckReport:
        """Give what people are told."""
        found = self.checked(files, kind=kind, trigger_words=trigger_words).report
        return report_like(found)
