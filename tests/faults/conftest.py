# SPDX-License-Identifier: Apache-2.0
"""Races need a real store: without one they fail, and say what to name."""

import os

import pytest


@pytest.fixture(scope="session")
def real_store() -> None:
    """Refuse to pretend: moto has neither locks nor durability."""
    if not os.environ.get("TABARD_TEST_S3"):
        pytest.fail("TABARD_TEST_S3 names no S3 store: start one with tests/ceph, then name it")
