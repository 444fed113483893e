# SPDX-License-Identifier: Apache-2.0
"""`tabard canary stop`."""

from __future__ import annotations

from tests.clients.cli.commands.health.canary.conftest import REF
from tests.clients.cli.conftest import Tabard


def test_person_stops_it_with_a_reason(tried: Tabard) -> None:
    """Once; without a reason it is not stopped."""
    tried("canary", "start", REF)
    assert tried("canary", "stop", "acme/ink").code == 2

    ran = tried("canary", "stop", "acme/ink", "--reason", "enough seen")

    said = " ".join(ran.out.split())
    assert ran.code == 0
    assert "verdict: Stopped enough seen (alice, seq" in said
    assert "has ended" in tried("canary", "stop", REF, "--reason", "again").err
