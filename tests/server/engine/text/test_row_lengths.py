# SPDX-License-Identifier: Apache-2.0
"""Texts of several lengths in one batch."""

import torch

from tabard_server.engine.text.row_lengths import pad_texts, repeat_texts


def test_repeated_text_is_the_same_text() -> None:
    """Texts are repeated up to a common length, sample by sample."""
    one, two = torch.rand(2, 3, 4), torch.rand(1, 6, 4)

    joined = repeat_texts([one, two])

    assert joined.shape == (3, 6, 4)
    assert torch.equal(joined[0, 3:], one[0])


def test_padding_is_marked() -> None:
    """Zeros stand behind shorter texts, and the mask says where."""
    one, two = torch.rand(2, 3, 4), torch.rand(1, 5, 4)

    joined, mask = pad_texts([one, two])

    assert mask is not None
    assert mask.sum(dim=1).tolist() == [3, 3, 5]
    assert torch.equal(joined[mask], torch.cat([one.flatten(0, 1), two[0]]))
    assert not joined[~mask].any()


def test_equal_lengths_need_no_mask() -> None:
    """They are put behind each other."""
    one, two = torch.rand(2, 3, 4), torch.rand(1, 3, 4)

    joined, mask = pad_texts([one, two])

    assert mask is None
    assert torch.equal(joined, torch.cat([one, two]))
