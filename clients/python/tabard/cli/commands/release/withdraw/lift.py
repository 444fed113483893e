# SPDX-License-Identifier: Apache-2.0
"""`tabard lift`: what undoes `tabard quarantine`."""

from tabard.cli.commands.release.withdraw.withdrawal import withdrawal
from tabard.client import Client
from tabard.releases.release import Release


@withdrawal(Client.lift, already=lambda _found: "is not quarantined", undoes=True)
def lift(release: Release) -> str:
    """Undo a quarantine."""
    return f"{release.adapter} {release.version} can be served again"
