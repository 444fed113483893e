# SPDX-License-Identifier: Apache-2.0
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabard_registry import Digest, sha256_bytes
from tabard_registry.checkpoint.digests import (
    Texts,
    check_digits,
    digest_in,
    read_digests,
    write_digests,
)

GOOD = sha256_bytes(b"x").hex


@given(st.lists(st.binary(max_size=2).map(sha256_bytes), max_size=5))
def test_digests_survive_their_digits(digests: list[Digest]) -> None:
    """All of them come back, and each by its position."""
    digits = write_digests(tuple(digests))

    assert read_digests(digits) == tuple(digests)
    assert [digest_in(digits, index) for index in range(len(digests))] == digests


@pytest.mark.parametrize("digits", [GOOD[:-1], GOOD + "0", GOOD.upper(), "z" * 64, " " * 64])
def test_other_digits_are_refused(digits: str) -> None:
    """Only whole digests in lower case."""
    with pytest.raises(ValueError):
        check_digits(digits)


def test_equal_texts_share_a_number() -> None:
    """Numbers follow the order in which texts were met."""
    texts = Texts()

    assert [texts.number(text) for text in ("ann", "bob", "ann", "")] == [0, 1, 0, 2]
    assert texts.found == ["ann", "bob", ""]
