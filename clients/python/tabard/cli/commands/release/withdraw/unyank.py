# SPDX-License-Identifier: Apache-2.0
"""`tabard unyank`: what undoes `tabard yank`."""

from tabard.cli.commands.release.withdraw.withdrawal import withdrawal
from tabard.client import Client
from tabard.releases.release import Release


@withdrawal(Client.unyank, already=lambda _found: "is not yanked", undoes=True)
def unyank(release: Release) -> str:
    """Undo a yank."""
    return f"{release.adapter} {release.version} can be resolved by channel again"
