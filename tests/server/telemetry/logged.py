# SPDX-License-Identifier: Apache-2.0
"""What was logged, as events with their fields."""

from typing import Any

import pytest


def logged(caplog: pytest.LogCaptureFixture, event: str) -> list[dict[str, Any]]:
    """Return the fields of every event of a name, in order, with the level of each."""
    found = [one for one in caplog.records if isinstance(one.msg, dict)]
    return [
        {**one.msg, "level": one.levelname.lower()} for one in found if one.msg["event"] == event
    ]
