# SPDX-License-Identifier: Apache-2.0
"""Devices by their words: which name one, and which was probably meant."""

import pytest

from tabard_server.engine_port.device import DEVICE, nearest_device


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
