# SPDX-License-Identifier: Apache-2.0
"""What tells stacks apart: digests, weights and order of what changes weights."""

from tabard_server.engine_port.stack import stack_key
from tests.server.jobs.small_jobs import Style

INK, NEON = Style(digest="ink"), Style(digest="neon")
WORD = Style(digest="word", changes_weights=False)


def test_order_and_weights_matter() -> None:
    """Each magnitude scales what was worn before it, so turned around is another stack."""
    keys = {
        stack_key(stack)
        for stack in (
            [(INK, 1.0), (NEON, 0.5)],
            [(NEON, 0.5), (INK, 1.0)],
            [(INK, 1.0), (NEON, 0.4)],
            [(INK, 1.0)],
        )
    }

    assert len(keys) == 4


def test_words_change_no_weights() -> None:
    """A placeholder token is no part of it: its row can share a merged copy with others."""
    assert stack_key([(WORD, 1.0), (INK, 0.5)]) == stack_key([(INK, 0.5)]) == (("ink", 0.5),)
    assert stack_key([(WORD, 1.0)]) == ()


def test_whole_numbers_are_weights_too() -> None:
    """A weight that was written without a point is the same weight."""
    assert stack_key([(INK, 1)]) == stack_key([(INK, 1.0)])
