# SPDX-License-Identifier: Apache-2.0
"""Which Tabard this is: what the SDK of the same distribution says, and never what was installed.

Metadata of an installed package may be older than the sources that run.
"""

from tabard import __version__


def tabard_version() -> str:
    """Return the version of these sources."""
    return __version__
