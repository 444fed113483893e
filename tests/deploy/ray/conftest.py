# SPDX-License-Identifier: Apache-2.0
"""The application's own folder on the path, as a cluster of Ray has it."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.root import ROOT

sys.path.insert(0, str(ROOT / "deploy" / "ray"))


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[object]":
    """One Ray of this machine, for all tests that need one: it takes a minute to start."""
    from tests.deploy.ray.cluster import running_cluster  # noqa: PLC0415 - it imports Ray

    folder: Path = tmp_path_factory.mktemp("r")
    with running_cluster(folder) as found:
        yield found
