# SPDX-License-Identifier: Apache-2.0
"""What stands behind a ref: its weight and its controls, as people write them; read and written.

In: `acme/ink@1.2.0:0.8:te=0.5:IN04=0`, of a field or a prompt tag. Out: the ref, and what is said
of it; or a refusal that names the character. Which blocks a base has is not known here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from tabard_server.engine_port.weights.strength import Controls, Point
from tabard_server.errors import invalid
from tabard_server.jobs.words.regions import read_region

CONTROLS_CHARS_MAX = 1_024
"""Longest text behind a ref."""
POINTS_MAX = 64
"""Most points of one curve, and most blocks that are named."""

_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?", re.ASCII)
_BLOCK = re.compile(r"(?:IN|OUT|D|S)[0-9]{0,2}|MID|M00|BASE", re.ASCII | re.IGNORECASE)
_SHOWN = 40
_HINT = (
    "write ref:weight, ref:te:unet, or names behind the ref, as te=0.5, unet=0.8, "
    "unet=0.5@0,1@0.6, start=0.2, end=0.8, region=left, IN04=0.5, lbw=1,0,0,…"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SaidControls:
    """Controls as somebody said them; nothing of it is checked against a base.

    Attributes:
        text_encoder: Weight in the text encoders.
        unet: Weight in the UNet, as points; a single one holds everywhere.
        start: Share of the steps before which the UNet does not wear it.
        end: Share of the steps from which on it does not.
        region: Where it acts: the name of a region, or boxes as text; empty: everywhere.
        blocks: Factors of blocks, by name in any spelling.
        block_weights: The list of a UI, which names no blocks.
    """

    text_encoder: float | None = None
    unet: tuple[Point, ...] = ()
    start: float | None = None
    end: float | None = None
    region: str = ""
    blocks: tuple[tuple[str, float], ...] = ()
    block_weights: tuple[float, ...] = ()


NOTHING_SAID = SaidControls()


@dataclass(frozen=True, slots=True, kw_only=True)
class SaidRef:
    """A ref without what stands behind it, and that.

    Attributes:
        ref: `namespace/name[@selector]`.
        weight: None: nothing is said.
        controls: What else is said.
    """

    ref: str
    weight: float | None
    controls: SaidControls


def read_said(text: str, *, place_of: str, at: int = 0) -> SaidRef:
    """Take a ref and what stands behind it apart.

    A curve in the place of the weight is that of the UNet, and its first point the weight.

    Args:
        text: `namespace/name[@selector][:weight[:unet]][:name=value…]`.
        place_of: The field of the request that it stands in.
        at: Characters before it in that field.

    Raises:
        InvalidRequest: It cannot be read (`CONTROL_MALFORMED`, `INVALID_WEIGHT`), or says a thing
            twice (`CONTROL_CONTRADICTED`); the message names the character, counted from 1.
    """
    end = _end_of_ref(text)
    if len(text) - end > CONTROLS_CHARS_MAX:
        _refuse(
            place_of,
            f"{len(text) - end} characters stand behind {text[:end][:_SHOWN]!r}",
            place=at + end,
            hint=f"at most {CONTROLS_CHARS_MAX} characters",
        )
    reader = _Reader(ref=bare_ref(text), place_of=place_of)
    while end < len(text):
        following = text.find(":", end + 1)
        stop = len(text) if following < 0 else following
        reader.read(text[end + 1 : stop], place=at + end + 1)
        end = stop
    return reader.said()


def bare_ref(text: str) -> str:
    """Return `namespace/name[@selector]` of a ref, without what stands behind it."""
    return text[: _end_of_ref(text)].strip()


def write_controls(controls: Controls) -> str:
    """Write controls as `read_said` reads them behind a ref and its weight."""
    parts = []
    if controls.text_encoder is not None:
        parts.append(f"te={_number(controls.text_encoder)}")
    if controls.unet:
        parts.append(f"unet={write_points(controls.unet)}")
    if controls.start != 0.0:
        parts.append(f"start={_number(controls.start)}")
    if controls.end != 1.0:
        parts.append(f"end={_number(controls.end)}")
    if controls.region:
        parts.append(f"region={controls.region}")
    parts += [f"{name}={_number(factor)}" for name, factor in controls.blocks]
    return ":".join(parts)


def write_points(points: tuple[Point, ...]) -> str:
    """Write a weight over the steps: `0.5@0,1@0.6`; one that never changes as a number."""
    if len(points) == 1:
        return _number(points[0].weight)
    return ",".join(f"{_number(one.weight)}@{_number(one.at)}" for one in points)


@dataclass(slots=True, kw_only=True)
class _Reader:
    """Reads part after part of what stands behind a ref."""

    ref: str
    place_of: str
    _weight: tuple[Point, ...] = ()
    _named: dict[str, Any] = field(default_factory=dict)
    _blocks: dict[str, float] = field(default_factory=dict)

    def read(self, part: str, *, place: int) -> None:
        name, equals, value = part.partition("=")
        if equals:
            value_place = place + len(name) + 1
            self._read_named(name.strip(), value, place=place, value_place=value_place)
        elif self._named or self._blocks:
            self._fail(f"{part[:_SHOWN]!r} has no name", place=place)
        elif not self._weight:
            self._weight = self._points(part, place=place, reason="INVALID_WEIGHT")
        elif len(self._weight) > 1:
            self._contradict("the weight", place=place)
        else:
            self._put("unet", self._points(part, place=place), place=place)

    def said(self) -> SaidRef:
        named = dict(self._named)
        weight = self._weight[0].weight if self._weight else None
        if len(self._weight) > 1:
            named["unet"] = self._weight
        return SaidRef(
            ref=self.ref,
            weight=weight,
            controls=SaidControls(blocks=tuple(self._blocks.items()), **named),
        )

    def _read_named(self, name: str, value: str, *, place: int, value_place: int) -> None:
        word = _NAMES.get(name.lower(), name)
        if word in ("text_encoder", "start", "end"):
            self._put(word, self._number(value, place=value_place), place=place)
        elif word == "unet":
            if len(self._weight) > 1:
                self._contradict("unet", place=place)
            self._put(word, self._points(value, place=value_place), place=place)
        elif word == "region":
            region = read_region(value, place_of=self.place_of, at=value_place)
            self._put(word, region, place=place)
        elif word == "block_weights":
            numbers = self._each(value, self._number, place=value_place)
            self._put(word, numbers, place=place)
        elif _BLOCK.fullmatch(name):
            block = name.upper()
            if block in self._blocks:
                self._contradict(block, place=place)
            self._blocks[block] = self._number(value, place=value_place)
        else:
            self._fail(f"{name[:_SHOWN]!r} is no control", place=place)

    def _put(self, word: str, value: Any, *, place: int) -> None:
        if word in self._named:
            self._contradict(word, place=place)
        self._named[word] = value

    def _points(
        self, text: str, *, place: int, reason: str = "CONTROL_MALFORMED"
    ) -> tuple[Point, ...]:
        if "@" not in text:
            return (Point(weight=self._number(text, place=place, reason=reason), at=0.0),)
        return self._each(text, self._point, place=place)

    def _point(self, text: str, *, place: int) -> Point:
        weight, sign, where = text.partition("@")
        if not sign:
            self._fail(f"the point {text[:_SHOWN]!r} has no place", place=place)
        return Point(
            weight=self._number(weight, place=place),
            at=self._number(where, place=place + len(weight) + 1),
        )

    def _each(self, text: str, read: Callable[..., Any], *, place: int) -> tuple[Any, ...]:
        ones = text.split(",")
        if len(ones) > POINTS_MAX:
            self._fail(f"{len(ones)} values in one list, at most {POINTS_MAX}", place=place)
        found = []
        for one in ones:
            found.append(read(one, place=place))
            place += len(one) + 1
        return tuple(found)

    def _number(self, text: str, *, place: int, reason: str = "CONTROL_MALFORMED") -> float:
        if not _NUMBER.fullmatch(text.strip()):
            if reason == "INVALID_WEIGHT":
                message = f"invalid weight {text[:_SHOWN]!r} of {self.ref[:_SHOWN]!r}"
                self._fail(message, place=place, reason=reason)
            self._fail(f"{text[:_SHOWN]!r} is no number", place=place)
        return float(text)

    def _contradict(self, what: str, *, place: int) -> NoReturn:
        message = f"{what} is said twice of {self.ref[:_SHOWN]!r}"
        self._fail(message, place=place, reason="CONTROL_CONTRADICTED", hint="say it once")

    def _fail(
        self, message: str, *, place: int, reason: str = "CONTROL_MALFORMED", hint: str = _HINT
    ) -> NoReturn:
        _refuse(self.place_of, message, place=place, reason=reason, hint=hint)


_NAMES: Mapping[str, str] = {
    "te": "text_encoder",
    "text_encoder": "text_encoder",
    "unet": "unet",
    "start": "start",
    "end": "end",
    "region": "region",
    "lbw": "block_weights",
}


def _end_of_ref(text: str) -> int:
    """Return where a ref ends and what stands behind it begins: at its colon."""
    colon, at = text.find(":"), text.find("@")
    if 0 <= at < colon:
        # The colon of a digest belongs to the ref.
        begun = at + len("@sha256:") if text.startswith("@sha256:", at) else at
        colon = text.find(":", begun)
    return len(text) if colon < 0 else colon


def _number(value: float) -> str:
    return repr(float(value)).removesuffix(".0")


def _refuse(
    place_of: str, message: str, *, place: int, reason: str = "CONTROL_MALFORMED", hint: str
) -> NoReturn:
    raise invalid(place_of, f"{message}, at character {place + 1}", reason=reason, hint=hint)
