# SPDX-License-Identifier: Apache-2.0
"""Bounds are read by name, and none of them can be switched off by a strange number."""

from dataclasses import fields

import pytest

from tabard import InvalidArgument
from tabard_web.bounds import Bounds, read_bounds
from tests.root import ROOT


def test_bounds_are_read_by_name() -> None:
    """Each text becomes the number that its bound is; the others stay."""
    read = read_bounds({"body_bytes_max": "1000", "body_seconds_max": "2.5"})

    assert (read.body_bytes_max, read.body_seconds_max) == (1000, 2.5)
    assert read.requests_max == Bounds().requests_max


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("body_bytes", "1"),
        ("requests_max", "0"),
        ("requests_max", "-1"),
        ("requests_max", "many"),
        ("body_seconds_max", "inf"),
        ("body_seconds_max", "nan"),
    ],
)
def test_strange_bounds_are_refused_by_name(name: str, text: str) -> None:
    """What is no bound, or no positive number, is told."""
    with pytest.raises(InvalidArgument, match=name) as refused:
        read_bounds({name: text})

    assert refused.value.violations[0].field == name


def test_bounds_are_documented() -> None:
    """Each with its default."""
    page = (ROOT / "docs" / "web.md").read_text(encoding="utf-8")

    for bound in fields(Bounds):
        assert f"| `{bound.name}` | {round(getattr(Bounds(), bound.name))} |" in page
