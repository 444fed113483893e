# SPDX-License-Identifier: Apache-2.0
"""What counts as the image again."""

import pytest

from tabard import Replay


@pytest.mark.parametrize(
    ("outcome", "is_faithful"),
    [
        ("same_file", True),
        ("same_pixels", True),
        ("close", True),
        ("different", False),
        ("not_drawn", False),
    ],
)
def test_faithful_is_what_was_promised(outcome: str, is_faithful: bool) -> None:
    """An image that differs, or was not drawn, is not the image again."""
    assert Replay(outcome=outcome, differences=()).is_faithful is is_faithful
