# SPDX-License-Identifier: Apache-2.0
"""Where the command line meets the server's packages: name the missing extra, translate errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from livery.errors import FailedPrecondition, InvalidArgument

SERVER_EXTRA = "server"


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
            hint=f"pip install 'livery[{extra}]'",
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
