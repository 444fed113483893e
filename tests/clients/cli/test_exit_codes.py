# SPDX-License-Identifier: Apache-2.0
"""Every error has an exit code, and every exit code a meaning."""

import grpc
import pytest

from tabard import errors
from tabard.cli import exit_codes
from tabard.rpc_errors import STATUS_TABLE
from tests.clients.cli.conftest import Tabard
from tests.clients.fakes.server import FakeServer
from tests.clients.fakes.state import FakeStatus


def test_every_error_has_exit_code() -> None:
    """Each class of the tree has a code of its own choosing, each code a meaning."""
    assert set(exit_codes.CODES) == set(STATUS_TABLE.values())
    assert set(exit_codes.CODES.values()) <= set(exit_codes.MEANINGS)
    assert exit_codes.exit_code(errors.TabardError("?")) == exit_codes.UNEXPECTED


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (grpc.StatusCode.NOT_FOUND, 3),
        (grpc.StatusCode.INVALID_ARGUMENT, 4),
        (grpc.StatusCode.ALREADY_EXISTS, 5),
        (grpc.StatusCode.FAILED_PRECONDITION, 5),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, 6),
        (grpc.StatusCode.DEADLINE_EXCEEDED, 6),
        (grpc.StatusCode.UNAUTHENTICATED, 7),
        (grpc.StatusCode.INTERNAL, 1),
    ],
)
def test_server_error_becomes_code(
    tabard: Tabard, server: FakeServer, code: grpc.StatusCode, expected: int
) -> None:
    """What the server says decides the exit code."""
    server.state.fail_with = FakeStatus(code.value[0], "it happened", "R")

    assert tabard("warm", "a/b").code == expected


def test_damage_has_a_code_of_its_own() -> None:
    """Lost data is no ordinary failure, whoever says so."""
    damaged = errors.Internal("broken", status="DATA_LOSS")

    assert exit_codes.exit_code(damaged) == exit_codes.DAMAGED
    assert exit_codes.exit_code(errors.Internal("broken")) == exit_codes.UNEXPECTED


def test_table_has_a_line_a_code() -> None:
    """It is what `tabard --help` ends with."""
    lines = exit_codes.table().splitlines()

    assert [int(line.split()[0]) for line in lines] == list(exit_codes.MEANINGS)
