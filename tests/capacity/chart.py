# SPDX-License-Identifier: Apache-2.0
"""Draws lines over a logarithmic axis as SVG: as little as a page of results needs.

In: named series of points. Out: the text of a file. Knows nothing of what it draws.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

Points = Sequence[tuple[float, float]]

WIDTH, HEIGHT = 720, 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 180, 44, 52
_COLOURS = ("#1b6ca8", "#c44e52", "#55843c", "#8172b2", "#b8860b", "#4c4c4c")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """One picture.

    Attributes:
        title: What it shows.
        across: What the horizontal axis is; logarithmic.
        up: What the vertical axis is; from zero.
        top: Its end; None: of the largest value.
        write: How values of it are written.
        is_log: Whether the vertical axis is logarithmic too, from the smallest value.
    """

    title: str
    across: str
    up: str
    top: float | None = None
    write: Callable[[float], str] = lambda value: f"{value:g}"
    is_log: bool = False

    def draw(self, series: Mapping[str, Points]) -> str:
        """Draw series; each point is a value across and one up."""
        points = [point for line in series.values() for point in line]
        across = _Axis.over([x for x, _y in points], low=_LEFT, high=WIDTH - _RIGHT)
        values = [y for _x, y in points]
        if self.is_log:
            up = _Axis.over(values, low=HEIGHT - _BOTTOM, high=_TOP)
        else:
            end = self.top or _round_up(max(values))
            up = _Axis(0.0, end, low=HEIGHT - _BOTTOM, high=_TOP)
        return "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
                f'width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif" font-size="13">',
                f"<title>{escape(self.title)}</title>",
                '<rect width="100%" height="100%" fill="#ffffff"/>',
                _text(_LEFT, 24, self.title, anchor="start", size=15),
                *self._grid(across, up),
                *self._lines(series, across=across, up=up),
                "</svg>\n",
            ]
        )

    def _grid(self, across: _Axis, up: _Axis) -> list[str]:
        right, floor = WIDTH - _RIGHT, HEIGHT - _BOTTOM
        drawn = []
        for value in up.ticks():
            y = up.at(value)
            drawn.append(f'<path d="M{_LEFT} {y:.1f}H{right}" stroke="#dddddd"/>')
            drawn.append(_text(_LEFT - 8, y + 4, self.write(value), anchor="end"))
        for value in across.ticks():
            x = across.at(value)
            drawn.append(f'<path d="M{x:.1f} {floor}v5" stroke="#777777"/>')
            drawn.append(_text(x, floor + 20, f"{value:,g}", anchor="middle"))
        drawn.append(f'<path d="M{_LEFT} {floor}H{right}" stroke="#777777"/>')
        drawn.append(_text((_LEFT + right) / 2, HEIGHT - 10, self.across, anchor="middle"))
        middle = (_TOP + floor) / 2
        turned = f'transform="rotate(-90 18 {middle})"'
        drawn.append(_text(18, middle, self.up, anchor="middle", more=turned))
        return drawn

    def _lines(self, series: Mapping[str, Points], *, across: _Axis, up: _Axis) -> list[str]:
        drawn = []
        for number, (name, points) in enumerate(series.items()):
            colour = _COLOURS[number % len(_COLOURS)]
            dash = ' stroke-dasharray="6 4"' if number % 2 else ""
            placed = [(across.at(x), up.at(y)) for x, y in points]
            path = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)
            drawn.append(
                f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>'
            )
            drawn += [
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in placed
            ]
            y = _TOP + 14 + 22 * number
            x = WIDTH - _RIGHT + 16
            drawn.append(f'<path d="M{x} {y - 4}h24" stroke="{colour}" stroke-width="2"{dash}/>')
            drawn.append(_text(x + 30, y, name, anchor="start"))
        return drawn


@dataclass(frozen=True, slots=True)
class _Axis:
    first: float
    last: float
    low: float
    high: float
    is_log: bool = False

    @classmethod
    def over(cls, values: Sequence[float], *, low: float, high: float) -> _Axis:
        return cls(min(values), max(values), low=low, high=high, is_log=True)

    def at(self, value: float) -> float:
        first, last, value = map(self._scale, (self.first, self.last, value))
        part = (value - first) / (last - first) if last > first else 0.5
        return self.low + part * (self.high - self.low)

    def ticks(self) -> list[float]:
        if not self.is_log:
            return [self.last * part / 4 for part in range(5)]
        exponents = range(math.floor(math.log10(self.first)), math.ceil(math.log10(self.last)) + 1)
        decades = [10.0**exponent for exponent in exponents]
        marks = [decade * times for decade in decades for times in (1, 2, 5)]
        found = [mark for mark in marks if self.first <= mark <= self.last * 1.001]
        return [mark for mark in found if mark in decades] if len(found) > 6 else found

    def _scale(self, value: float) -> float:
        return math.log10(value) if self.is_log else value


def _round_up(value: float) -> float:
    if value <= 0:
        return 1.0
    decade = 10.0 ** math.floor(math.log10(value))
    return next(decade * times for times in (1, 2, 4, 6, 8, 10) if decade * times >= value)


def _text(x: float, y: float, words: str, *, anchor: str, size: int = 0, more: str = "") -> str:
    font = f' font-size="{size}" font-weight="bold"' if size else ""
    extra = f" {more}" if more else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{font}{extra}>{escape(words)}</text>'
    )
