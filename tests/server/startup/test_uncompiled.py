# SPDX-License-Identifier: Apache-2.0
"""Marks for a compiler that nobody runs leave functions as they are."""

import pytest

from tabard_server.startup import uncompiled


@pytest.mark.parametrize("name", ["allow_in_graph", "assume_constant_result", "disable"])
def test_marked_function_is_itself(name: str) -> None:
    """Marked by name, or by what a call returns."""
    mark = getattr(uncompiled, name)

    assert mark(len) is len
    assert mark(len, True, wrapping=False) is len
    assert mark(reason="told")(len) is len
