# SPDX-License-Identifier: Apache-2.0
"""`tabard quarantine`: nobody is served with a release, until that is lifted."""

from tabard.cli.commands.release.withdraw.withdrawal import withdrawal
from tabard.client import Client
from tabard.releases.release import Release


@withdrawal(
    Client.quarantine,
    already=lambda found: f"was quarantined already: {found.quarantine_reason}",
    asks=True,
)
def quarantine(release: Release) -> str:
    """Stop serving a release now, on every server; its bytes are kept.

    Running jobs that wear it, by itself or in a recipe, are cut off. Shows first
    which channels, recipes and jobs it concerns, and asks. Undo it with `tabard lift`.

    \b
    tabard quarantine acme/watercolor@1.1.0 --reason "draws a signature"
    """  # noqa: D301 - \b is click's mark for a paragraph to keep as it is
    return f"quarantined {release.adapter} {release.version}: {release.quarantine_reason}"
