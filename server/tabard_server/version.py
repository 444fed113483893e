# SPDX-License-Identifier: Apache-2.0
"""Which Tabard this is, as installed."""

from importlib import metadata


def tabard_version() -> str:
    """Return the installed version, or `0+source` when run from a source tree."""
    try:
        return metadata.version("tabard")
    except metadata.PackageNotFoundError:
        return "0+source"
