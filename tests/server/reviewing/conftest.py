# SPDX-License-Identifier: Apache-2.0
"""A poll for every test that asks for one."""

from pathlib import Path

import pytest

from tests.server.reviewing.polls import Poll


@pytest.fixture
def poll(tmp_path: Path) -> Poll:
    """Sixteen pairs."""
    return Poll(tmp_path / "poll")
