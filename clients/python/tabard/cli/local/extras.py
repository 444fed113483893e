# SPDX-License-Identifier: Apache-2.0
"""Where the command line meets the server's packages: missing extras, errors, chatter."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tabard.errors import FailedPrecondition, InvalidArgument

SERVER_EXTRA = "server"


def install_hint(extra: str) -> str:
    """Say how to install an extra."""
    return f"pip install 'tabard[{extra}]'"


@contextmanager
def missing_extra(extra: str, *, needed_for: str) -> Iterator[None]:
    """Turn a failed import inside the block into an error that says what to install.

    Raises:
        FailedPrecondition: A package of the extra is missing.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise FailedPrecondition(
            f"{needed_for} needs {error.name}, which is not installed",
            reason="EXTRA_MISSING",
            hint=install_hint(extra),
        ) from error


@contextmanager
def reported_as_invalid(*trees: type[Exception]) -> Iterator[None]:
    """Turn errors of these trees, which all have `.reason` and `.hint`, into one of the SDK's.

    Raises:
        InvalidArgument: The settings, the base or the registry's address are refused.
    """
    try:
        yield
    except trees as error:
        raise InvalidArgument(
            str(error), reason=getattr(error, "reason", ""), hint=getattr(error, "hint", "")
        ) from error


def require_base(base: str, *, needed_for: str) -> None:
    """See that a base is there, before the model libraries are imported: that takes seconds.

    Raises:
        FailedPrecondition: The extra `server` is not installed.
        InvalidArgument: There is no such base.
    """
    quieten_libraries(base)
    with missing_extra(SERVER_EXTRA, needed_for=needed_for):
        place: Any = importlib.import_module("tabard_server.engine.base.place")
        engine_errors: Any = importlib.import_module("tabard_server.engine_port.errors")
    with reported_as_invalid(engine_errors.EngineError):
        place.require_base(base)


def require_device(name: str, *, needed_for: str) -> None:
    """See that a device is here, before the model libraries are imported: that takes seconds.

    Raises:
        FailedPrecondition: The extra `server` is not installed.
        InvalidArgument: There is no such device.
    """
    with missing_extra(SERVER_EXTRA, needed_for=needed_for):
        device: Any = importlib.import_module("tabard_server.engine_port.device")
        engine_errors: Any = importlib.import_module("tabard_server.engine_port.errors")
    with reported_as_invalid(engine_errors.EngineError):
        device.require_device(name)


def quieten_libraries(base: str) -> None:
    """Keep the model libraries' chatter off the terminal; bars stay for what may be a download.

    They read these variables when they are imported, so this comes first.
    """
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("DIFFUSERS_VERBOSITY", "error")
    if base == "demo" or Path(base).exists():
        os.environ.setdefault("TQDM_DISABLE", "1")
