# SPDX-License-Identifier: Apache-2.0
"""Encoded prompts that are kept: found by key, bounded in bytes, gone with a release."""

import pytest
import torch

from tabard_server.engine.text.conditioning import Conditioning
from tabard_server.engine.text.kept_texts import KeptTexts

BYTES = 4 * (2 * 3 * 4 + 2 * 5)


def encoded() -> Conditioning:
    """What some prompt came to, in `BYTES` bytes."""
    return Conditioning(text=torch.zeros(2, 3, 4), pooled=torch.zeros(2, 5))


def keep(texts: KeptTexts, *keys: str, digests: tuple[str, ...] = ()) -> list[Conditioning]:
    """Keep an encoding under each key, and go back to the bound."""
    found = [encoded() for _ in keys]
    for key, one in zip(keys, found, strict=True):
        texts.keep(key.encode(), one, digests=digests)
    texts.trim()
    return found


def test_same_key_finds_the_same_tensors() -> None:
    """And another none."""
    texts = KeptTexts(bytes_max=10 * BYTES)
    (one,) = keep(texts, "one")

    assert texts.find(b"one") is one
    assert texts.find(b"two") is None
    assert (texts.counts.found, texts.counts.encoded, texts.counts.bytes) == (1, 1, BYTES)


def test_oldest_leave_first() -> None:
    """Those that were used longest ago, and no more of them than the bound asks for."""
    texts = KeptTexts(bytes_max=2 * BYTES)
    keep(texts, "one", "two")
    texts.find(b"one")

    keep(texts, "three")

    assert [texts.find(key) is not None for key in (b"one", b"two", b"three")] == [
        True,
        False,
        True,
    ]
    assert texts.counts.bytes == 2 * BYTES


@pytest.mark.parametrize("bytes_max", [0, BYTES - 1])
def test_rows_that_open_together_share_without_room(bytes_max: int) -> None:
    """Between two trims nothing leaves; then what has no room does."""
    texts = KeptTexts(bytes_max=bytes_max)
    one = encoded()
    texts.keep(b"one", one, digests=())
    assert texts.find(b"one") is one

    texts.trim()

    assert texts.find(b"one") is None
    assert texts.counts.bytes == 0


def test_release_takes_its_texts_along() -> None:
    """All of them, whatever else was worn."""
    texts = KeptTexts(bytes_max=10 * BYTES)
    keep(texts, "alone", digests=("ink",))
    keep(texts, "both", digests=("ink", "oil"))
    keep(texts, "other", digests=("oil",))

    texts.forget("ink")

    assert [texts.find(key) is not None for key in (b"alone", b"both", b"other")] == [
        False,
        False,
        True,
    ]
    assert texts.counts.bytes == BYTES


def test_key_that_is_kept_again_counts_once() -> None:
    """The newer tensors stand for it."""
    texts = KeptTexts(bytes_max=10 * BYTES)
    keep(texts, "one")

    (newer,) = keep(texts, "one")

    assert texts.find(b"one") is newer
    assert texts.counts.bytes == BYTES
