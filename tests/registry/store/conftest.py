# SPDX-License-Identifier: Apache-2.0
"""The stores that the contract is tested on."""

from pathlib import Path

import pytest

from tabard_registry.store.folder import FolderStore
from tabard_registry.store.s3 import S3Limits, S3Store
from tabard_registry.store.store import Store
from tests.registry.fakes import MemoryStore

SMALL_PARTS = S3Limits(part_bytes=5 << 20, parts_in_flight_max=3)
"""The smallest parts that S3 takes: objects of some parts stay cheap in a test."""


@pytest.fixture
def s3_store(s3_url: str) -> S3Store:
    """A store in an empty place of a bucket."""
    return S3Store(s3_url, limits=SMALL_PARTS)


@pytest.fixture(params=["folder", "memory", "s3", "s3 single writer"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """Every store there is, empty."""
    if request.param == "folder":
        return FolderStore(tmp_path / "store")
    if request.param == "memory":
        return MemoryStore()
    url = request.getfixturevalue("s3_url")
    return S3Store(url, limits=SMALL_PARTS, single_writer=request.param != "s3")
