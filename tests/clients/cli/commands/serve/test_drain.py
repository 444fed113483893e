# SPDX-License-Identifier: Apache-2.0
"""`tabard drain`: no new jobs, and the running ones are counted."""

import pytest

from tests.clients.cli.conftest import Tabard
from tests.clients.fakes.server import FakeServer


@pytest.mark.parametrize(("said", "seconds"), [((), 0.0), (("--wait", "1.5"), 1.5)])
def test_drain_waits_as_told(
    tabard: Tabard, server: FakeServer, said: tuple[str, ...], seconds: float
) -> None:
    """Not at all unless told to; what still runs is said."""
    ran = tabard("drain", *said)

    assert server.state.draining
    assert server.state.requests[-1].wait.ToTimedelta().total_seconds() == seconds
    assert ran.out == "draining; jobs still running: 2\n"


def test_negative_wait_is_usage_error(tabard: Tabard, server: FakeServer) -> None:
    """Nothing is drained by accident."""
    assert tabard("drain", "--wait", "-1").code == 2
    assert not server.state.draining
