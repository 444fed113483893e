# SPDX-License-Identifier: Apache-2.0
"""Devices by their words: which name one, and which was probably meant."""

import pytest

from tabard_server.engine_port.device import DEVICE, nearest_device, require_device
from tabard_server.engine_port.errors import BaseNotLoadable


@pytest.mark.parametrize("word", ["auto", "cpu", "cuda", "cuda:0", "cuda:12"])
def test_word_of_a_device(word: str) -> None:
    """With a number where there may be many."""
    assert DEVICE.fullmatch(word)


@pytest.mark.parametrize(
    ("word", "near"),
    [
        ("gpu", "cuda"),
        ("gpu:1", "cuda:1"),
        ("CUDA", "cuda"),
        ("cuda1", "cuda"),
        ("cuda:01", "cuda:1"),
        ("cpu:0", "cpu"),
        ("cpuu", "cpu"),
        ("mps", None),
        ("", None),
    ],
)
def test_wrong_word_has_a_near_one(word: str, near: str | None) -> None:
    """Where it is like one."""
    assert DEVICE.fullmatch(word) is None
    assert nearest_device(word) == near
    assert near is None or DEVICE.fullmatch(near)


@pytest.mark.parametrize(
    ("name", "count", "version", "why"),
    [
        ("cuda", 0, "2.11.0", "no CUDA device is here"),
        ("cuda:2", 2, "2.11.0", "the last one here is cuda:1"),
        ("cuda", 8, "2.11.0+cpu", "a build for CPUs"),
    ],
)
def test_device_that_is_not_here_is_refused(name: str, count: int, version: str, why: str) -> None:
    """By what the driver and the installed build say."""
    with pytest.raises(BaseNotLoadable, match=why) as refused:
        require_device(name, count=lambda: count, version_of=lambda _package: version)

    assert "cpu" in refused.value.hint


@pytest.mark.parametrize("name", ["auto", "cpu", "cuda", "cuda:1"])
def test_device_that_is_here_is_taken(name: str) -> None:
    """A device that may be none is not looked for."""
    require_device(name, count=lambda: 2, version_of=lambda _package: "2.11.0")
