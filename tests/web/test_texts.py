# SPDX-License-Identifier: Apache-2.0
"""Every text that can be sent passes, and half a character is told where it stands."""

import pytest

from tabard_web.texts import whole


def test_whole_texts_pass() -> None:
    """Whatever their letters."""
    assert whole("猫 𝄞 \0") == "猫 𝄞 \0"


def test_half_a_character_is_refused() -> None:
    """No message could hold it."""
    with pytest.raises(ValueError, match="at 2"):
        whole("a \ud834")
