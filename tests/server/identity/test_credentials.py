# SPDX-License-Identifier: Apache-2.0
"""What a call shows, read without believing it."""

import pytest

from tabard_server.errors import Unauthenticated
from tabard_server.identity.credentials import BEARER_CHARS_MAX, Credentials, read_authorization


@pytest.mark.parametrize(
    ("values", "token"),
    [
        ([], None),
        (["Bearer abc"], "abc"),
        (["bearer abc"], "abc"),
        (["Bearer " + "a" * BEARER_CHARS_MAX], "a" * BEARER_CHARS_MAX),
    ],
)
def test_token_is_read(values: list[str], token: str | None) -> None:
    """The scheme is no matter of case; silence is silence."""
    assert read_authorization(values) == token


@pytest.mark.parametrize(
    "values",
    [
        [""],
        ["Bearer"],
        ["Bearer "],
        ["Basic abc"],
        ["abc"],
        ["Bearer abc", "Bearer abc"],
        ["Bearer ä"],
        ["Bearer " + "a" * (BEARER_CHARS_MAX + 1)],
        ["a" * 1_000_000],
    ],
)
def test_anything_else_is_malformed(values: list[str]) -> None:
    """Never read as silence: who says something wrong is told."""
    with pytest.raises(Unauthenticated) as refused:
        read_authorization(values)

    assert refused.value.reason == "TOKEN_MALFORMED"
    assert "abc" not in str(refused.value)


def test_printing_shows_no_secret() -> None:
    """Whatever prints credentials, in a traceback or a log."""
    assert "hunter2" not in repr(Credentials(bearer="hunter2"))
