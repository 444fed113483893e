# SPDX-License-Identifier: Apache-2.0
"""Two releases, the first of them stable."""

from __future__ import annotations

import pytest

from tests.clients.cli.conftest import Tabard
from tests.clients.fakes.real_server import RealServer

REF = "acme/ink@1.1.0"


@pytest.fixture
def tried(server: RealServer, tabard: Tabard) -> Tabard:
    """The command line, with releases to try."""
    for version in ("1.0.0", "1.1.0"):
        server.publish("acme/ink", version)
    assert tabard("promote", "acme/ink@1.0.0").code == 0
    return tabard
