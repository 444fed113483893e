# SPDX-License-Identifier: Apache-2.0
"""`tabard purge`: a release's bytes are gone for good."""

from tabard.cli.commands.release.withdraw.withdrawal import withdrawal
from tabard.client import Client
from tabard.releases.release import Release


@withdrawal(
    Client.purge, already=lambda found: f"was purged already: {found.purge_reason}", asks=True
)
def purge(release: Release) -> str:
    """Delete the bytes of a release for good; its record stays. There is no way back.

    The same bytes are never taken again. Safe to repeat: that deletes what was left. Shows first
    which channels, recipes and running jobs it concerns, and asks.

    \b
    tabard purge acme/watercolor@1.1.0 --reason "the artist asked for it"
    """  # noqa: D301 - \b is click's mark for a paragraph to keep as it is
    return f"purged {release.adapter} {release.version}: {release.purge_reason}"
