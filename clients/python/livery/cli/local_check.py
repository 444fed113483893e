# SPDX-License-Identifier: Apache-2.0
"""Check files against a base in this process, without a server; needs the extra `server`.

The registry and the engine are imported only here and only when asked for.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from livery.cli.extras import (
    SERVER_EXTRA,
    missing_extra,
    quieten_libraries,
    reported_as_invalid,
)
from livery.releases import CheckReport, Problem


def check_locally(
    files: Sequence[Path], *, base: str, kind: str = "", trigger_words: Sequence[str] = ()
) -> CheckReport:
    """Run publish's checks here.

    Raises:
        FailedPrecondition: The extra `server` is not installed.
        InvalidArgument: The base cannot be loaded.
    """
    quieten_libraries(base)
    with missing_extra(SERVER_EXTRA, needed_for="livery check --base"):
        engine: Any = importlib.import_module("livery_server.engine")
        registry: Any = importlib.import_module("livery_registry")
        intake: Any = importlib.import_module("livery_registry.intake")
    with reported_as_invalid(engine.EngineError, registry.RegistryError):
        checked = intake.check(
            files,
            profile=engine.profile_of(base),
            kind=kind or None,
            trigger_words=tuple(trigger_words),
            limits=intake.IntakeLimits(),
        )
    return _read_report(checked.report)


def _read_report(report: Any) -> CheckReport:
    return CheckReport(
        accepted=report.accepted,
        kind=report.kind,
        dialect=report.dialect,
        rank=report.rank,
        target_count=report.target_count,
        tensor_count=report.tensor_count,
        tensors_applied=report.tensors_applied,
        trigger_words=tuple(report.trigger_words),
        problems=tuple(Problem(**asdict(problem)) for problem in report.problems),
        resident_bytes=report.resident_bytes,
    )
