# SPDX-License-Identifier: Apache-2.0
"""One tiny base of each family for all extractions."""

from pathlib import Path

import pytest

from tests.bases import make_tiny_base


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a tiny sd1 base."""
    return make_tiny_base(tmp_path_factory.mktemp("extraction") / "sd1", seed=1)
