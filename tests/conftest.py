# SPDX-License-Identifier: Apache-2.0
"""What holds for every test: one S3 store a process, and no example that is judged by the clock."""

import pytest
from hypothesis import HealthCheck, settings

from tests.s3 import _models_are_read_once, s3_endpoint, s3_environment, s3_url

__all__ = ["_models_are_read_once", "s3_endpoint", "s3_environment", "s3_url"]

# An example is slow when the machine is busy; that says nothing of the code. A folder of a test is
# for all of its examples: each writes over what the one before it wrote.
settings.register_profile(
    "tabard",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("tabard")

_LAST = "tests/registry/"
_LONG = (
    "tests/e2e/",
    "tests/interleavings/",
    "tests/fuzz/",
    "tests/registry/intake/files/test_pickles",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave many short files for the end, so that two processes end together.

    Long files come before them, and not first: servers that they share live to the end of the run.
    """
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    if item.nodeid.startswith(_LONG):
        return 1
    return 2 if item.nodeid.startswith(_LAST) else 0
