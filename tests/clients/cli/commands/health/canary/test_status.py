# SPDX-License-Identifier: Apache-2.0
"""`tabard canary status`."""

from __future__ import annotations

from tests.clients.cli.commands.health.canary.conftest import REF
from tests.clients.cli.conftest import Tabard


def test_open_canaries_are_listed(tried: Tabard) -> None:
    """None, then one, each in a row; as JSON, a list."""
    assert "no canary is open" in tried("canary", "status").out
    tried("canary", "start", REF)

    ran = tried("canary", "status")

    assert "acme/ink stable 1.1.0 1.0.0 0% 1 0 of 0 open" in " ".join(ran.out.split())
    assert "a person decides" in ran.out
    assert [one["candidate_version"] for one in tried("canary", "status", "--json").document] == [
        "1.1.0"
    ]


def test_one_canary_is_told_by_channel_or_release(tried: Tabard) -> None:
    """The same one."""
    tried("canary", "start", REF)

    by_channel, by_release = tried("canary", "status", "acme/ink"), tried("canary", "status", REF)

    assert by_channel.out == by_release.out
    assert "verdict: none yet" in by_channel.out
    assert tried("canary", "status", "acme/ink@1.0.0").code != 0
