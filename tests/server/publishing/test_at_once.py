# SPDX-License-Identifier: Apache-2.0
"""So many at once."""

import pytest

from tabard_server.errors import Overloaded
from tabard_server.limits import Limits
from tabard_server.publishing.at_once import AtOnce


def test_one_too_many_is_told_to_come_back() -> None:
    """The limit is named; and whoever leaves makes room, also when he fails."""
    running = AtOnce("uploads", limit="uploads_max", reason="BUSY", limits=Limits(uploads_max=2))

    with (
        running.one(),
        running.one(),
        pytest.raises(Overloaded, match="2 uploads run already") as caught,
        running.one(),
    ):
        pass
    with pytest.raises(ZeroDivisionError), running.one(), running.one():
        raise ZeroDivisionError

    assert (caught.value.reason, caught.value.retry_seconds) == ("BUSY", 1.0)
    assert "limits.uploads_max" in caught.value.hint
    with running.one(), running.one():
        pass
