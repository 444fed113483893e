# SPDX-License-Identifier: Apache-2.0
from hypothesis import given
from hypothesis import strategies as st

from tabard_server.engine.text.windows import COMMA_REACH, Unit, cut

COMMA = Unit(ids=(0,), is_comma=True)
BREAK = Unit(is_break=True)


def _words(count: int) -> list[Unit]:
    return [Unit(ids=(number + 1,)) for number in range(count)]


def test_short_prompt_is_one_window() -> None:
    """What fits stays together; nothing at all is one empty window."""
    assert cut(_words(30), size=30) == [_words(30)]
    assert cut([], size=30) == [[]]


def test_window_ends_behind_near_comma() -> None:
    """Words behind a comma near the end move on together."""
    units = [*_words(25), COMMA, *_words(10)]

    first, second = cut(units, size=30)

    assert first == units[:26]
    assert second == units[26:]


def test_far_comma_is_not_looked_for() -> None:
    """A comma farther than the reach leaves the window full."""
    units = [COMMA, *_words(COMMA_REACH + 20)]

    first, _second = cut(units, size=COMMA_REACH + 10)

    assert len(first) == COMMA_REACH + 10


def test_break_begins_a_window() -> None:
    """`BREAK` ends a window however short it is."""
    assert cut([*_words(2), BREAK, *_words(3)], size=30) == [_words(2), _words(3)]


@given(
    st.lists(st.sampled_from([COMMA, BREAK, Unit(ids=(1,)), Unit(ids=(2, 3, 4))]), max_size=60),
    st.integers(3, 12),
)
def test_nothing_is_lost_or_too_long(units: list[Unit], size: int) -> None:
    """Windows hold all units in their order, and none holds more than its size."""
    windows = cut(units, size=size)

    assert [unit for window in windows for unit in window] == [
        unit for unit in units if not unit.is_break
    ]
    assert all(sum(len(unit.ids) for unit in window) <= size for window in windows)
