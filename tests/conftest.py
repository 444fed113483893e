# SPDX-License-Identifier: Apache-2.0
"""What holds for every test: one S3 store a process, and no example that is judged by the clock."""

import gc
import os
from typing import Any

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
_SHARED = {
    "tests/e2e/test_oracle.py": "demo server",
    "tests/e2e/test_request_oracle.py": "demo server",
    "tests/e2e/test_bad_input.py": "tiny server",
    "tests/e2e/test_commands_on_server.py": "tiny server",
    "tests/e2e/health/test_evaluation_of_kinds.py": "tiny server",
    "tests/e2e/test_swap_under_load.py": "tiny server",
    "tests/e2e/flows/test_life.py": "flow server",
    "tests/e2e/flows/test_bad_input.py": "flow servers",
}
"""Files that are for one process, because each process would start a server of its own for them."""
_COMPILERS = {name: os.environ.get(name) for name in ("CC", "CXX")}
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


def pytest_configure() -> None:
    """Collect no garbage among the half million objects of the libraries, which live to the end."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Let the collector look at what comes from here on."""
    gc.freeze()
    gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown() -> None:
    """Give the next test the compilers of the first.

    Where PEFT cannot build a kernel for BOFT, it leaves behind that gcc is the compiler of C++:
    what others build from then on lacks the standard library.
    """
    for name, compiler in _COMPILERS.items():
        if compiler is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = compiler


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Where whole files are given to processes, give those that share a server to one of them."""
    if config.getvalue("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling  # noqa: PLC0415 - absent without processes

    class FilesOfServers(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = super()._split_scope(nodeid)
            return _SHARED.get(file, file)

    return FilesOfServers(config, log)


def _turn(item: pytest.Item) -> int:
    if item.nodeid.startswith(_LONG):
        return 1
    return 2 if item.nodeid.startswith(_LAST) else 0
