# SPDX-License-Identifier: Apache-2.0
"""Which Livery this is, as installed."""

from importlib import metadata


def livery_version() -> str:
    """Return the installed version, or `0+source` when run from a source tree."""
    try:
        return metadata.version("livery")
    except metadata.PackageNotFoundError:
        return "0+source"
