# SPDX-License-Identifier: Apache-2.0
"""What a row says of its stack: its key, and whether only a merged copy can wear it."""

import pytest

from tests.server.drawings import row_spec
from tests.server.jobs.small_jobs import Style

INK = Style(digest="ink")
DENSE = Style(digest="dense", is_merged_only=True)


@pytest.mark.parametrize(
    ("stack", "is_merged_only"),
    [((), False), (((INK, 1.0),), False), (((INK, 1.0), (DENSE, 0.5)), True)],
)
def test_one_dense_part_needs_the_copy(
    stack: tuple[tuple[Style, float], ...], is_merged_only: bool
) -> None:
    """Slots hold pairs only: one adapter that is more makes the whole stack merged."""
    assert row_spec(stack=stack).is_merged_only is is_merged_only


def test_rows_of_one_stack_share_a_key() -> None:
    """Whatever else shapes them."""
    stack = ((INK, 1.0), (DENSE, 0.5))

    keys = {row_spec(stack=stack, seed=seed, prompt=str(seed)).stack_key for seed in range(3)}

    assert keys == {(("ink", 1.0), ("dense", 0.5))}
