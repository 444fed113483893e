# SPDX-License-Identifier: Apache-2.0
"""`tabard yank`: nobody gets a release any more who did not pin it."""

from tabard.cli.commands.release.withdraw.withdrawal import withdrawal
from tabard.client import Client
from tabard.releases.release import Release


@withdrawal(Client.yank, already=lambda found: f"was yanked already: {found.yank_reason}")
def yank(release: Release) -> str:
    """Take a release out of resolution by channel and range; exact pins still work."""
    return f"yanked {release.adapter} {release.version}: {release.yank_reason}"
