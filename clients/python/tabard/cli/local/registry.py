# SPDX-License-Identifier: Apache-2.0
"""Work on a registry in this process, without a server; needs the extra `registry`.

Opens it, turns the library's errors into the SDK's, and shows progress. The library is imported
only here and only when asked for.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from tabard import errors
from tabard.cli.local.extras import missing_extra
from tabard.cli.output import Output
from tabard.connection import find_actor
from tabard.errors import TabardError

REGISTRY_EXTRA = "registry"
REGISTRY_VARIABLE = "TABARD_REGISTRY"

ERRORS: dict[str, tuple[type[TabardError], str]] = {
    "InvalidName": (errors.InvalidArgument, ""),
    "InvalidField": (errors.InvalidArgument, ""),
    "IntakeRefused": (errors.InvalidArgument, ""),
    "UnusableRegistry": (errors.InvalidArgument, ""),
    "NotFound": (errors.NotFound, ""),
    "AlreadyExists": (errors.AlreadyExists, ""),
    "PreconditionFailed": (errors.FailedPrecondition, ""),
    "Forbidden": (errors.PermissionDenied, ""),
    "StoreUnavailable": (errors.Unavailable, ""),
    "CorruptRegistry": (errors.Internal, "DATA_LOSS"),
}
"""What each error of the library is for those who run commands, and its status if that differs."""

url_argument = click.argument("url", metavar="[URL]", envvar=REGISTRY_VARIABLE)
registry_option = click.option(
    "--registry",
    "url",
    envvar=REGISTRY_VARIABLE,
    required=True,
    metavar="URL",
    help=f"s3://…, file:///… or a folder; default ${REGISTRY_VARIABLE}.",
)


def library(part: str = "", *, needed_for: str) -> Any:
    """Import the registry library, or one of its modules.

    Raises:
        FailedPrecondition: The extra is not installed.
    """
    with missing_extra(REGISTRY_EXTRA, needed_for=needed_for):
        return importlib.import_module(f"tabard_registry{part and '.'}{part}")


@contextmanager
def sdk_errors() -> Iterator[None]:
    """Turn the library's errors inside the block into the SDK's.

    Raises:
        TabardError: With the reason and the hint of the library.
    """
    tree = importlib.import_module("tabard_registry.errors")
    try:
        yield
    except tree.RegistryError as error:
        known = next(ERRORS[one.__name__] for one in type(error).__mro__ if one.__name__ in ERRORS)
        raise known[0](str(error), reason=error.reason, hint=error.hint, status=known[1]) from error


@contextmanager
def open_registry(url: str, *, needed_for: str) -> Iterator[Any]:
    """Open a registry that exists; its errors inside the block become the SDK's."""
    registry_class = library(needed_for=needed_for).Registry
    with sdk_errors():
        registry = registry_class.open(url, create=False)
        try:
            yield registry
        finally:
            registry.close()


@contextmanager
def shown_progress(output: Output) -> Iterator[Callable[[str, int, int | None], None]]:
    """Give what the library tells its progress to; shown on a terminal only."""
    with output.progress("opening", total=0) as shown:

        def tell(what: str, done: int, total: int | None) -> None:
            shown.describe(what)
            shown.set(done, total=total)

        yield tell


def author(reason: str) -> Any:
    """Say who acts, `TABARD_ACTOR` or the user's name, and why; once the library is there."""
    author_class = importlib.import_module("tabard_registry").Author
    return author_class(actor=find_actor(), reason=reason)
