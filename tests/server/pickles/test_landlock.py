# SPDX-License-Identifier: Apache-2.0
"""Landlock asks only for what a kernel of its version knows."""

import ctypes
from typing import Any

import pytest

from tabard_server.pickles import landlock
from tabard_server.pickles.kernel import SealUnavailable


@pytest.mark.parametrize(
    ("version", "size_bytes", "files", "network", "scopes"),
    [
        (1, 8, 13, 0, 0),
        (2, 8, 14, 0, 0),
        (3, 8, 15, 0, 0),
        (4, 16, 15, 2, 0),
        (5, 16, 16, 2, 0),
        (6, 24, 16, 2, 2),
        (9, 24, 16, 2, 2),
    ],
)
def test_rights_grow_with_the_version(
    monkeypatch: pytest.MonkeyPatch,
    version: int,
    size_bytes: int,
    files: int,
    network: int,
    scopes: int,
) -> None:
    """Every right that the version has is given up, and none that it would not understand."""
    asked: list[Any] = []

    def kernel(_function: str, _number: Any, argument: Any, size: Any, *_flags: Any) -> int:
        asked.append((argument, size))
        raise OSError("seen enough")

    monkeypatch.setattr(landlock, "landlock_version", lambda: version)
    monkeypatch.setattr(landlock, "call", kernel)

    with pytest.raises(SealUnavailable, match="landlock_create_ruleset: seen enough"):
        landlock.renounce_files()

    ruleset = ctypes.cast(asked[0][0], ctypes.POINTER(landlock._Ruleset)).contents
    found = (ruleset.files, ruleset.network, ruleset.scopes)
    assert asked[0][1].value == size_bytes
    assert found == ((1 << files) - 1, (1 << network) - 1, (1 << scopes) - 1)


def test_kernel_without_it_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is none, nothing is given up and nothing is wrong."""
    monkeypatch.setattr(landlock, "landlock_version", lambda: 0)

    assert landlock.renounce_files() == 0
