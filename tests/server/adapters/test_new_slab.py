# SPDX-License-Identifier: Apache-2.0
"""One piece of memory, aligned views of it, and nothing of other things between them."""

import torch

from tabard_server.adapters.new_slab import new_slab


def test_views_lie_aligned_and_apart() -> None:
    """Each has its shape and dtype, none shares a byte, and what is between them is zero."""
    pieces = [
        (torch.ones(3), torch.float16, 1.0),
        (torch.ones(2, 5), torch.float32, 2.0),
        (torch.ones(2, 1, 3), torch.float16, 1.0),
    ]

    slab, views = new_slab(pieces, is_pinned=False)

    assert slab is not None
    assert [(x.shape, x.dtype) for x in views] == [(p.shape, dtype) for p, dtype, _ in pieces]
    assert all(x.is_contiguous() and x.data_ptr() % 16 == slab.data_ptr() % 16 for x in views)
    for view in views:
        view.zero_()
    assert not slab.any()
    for view in views:
        view.fill_(1)
    assert all(bool((view == 1).all()) for view in views)
    assert new_slab([], is_pinned=False) == (None, [])
