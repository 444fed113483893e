# SPDX-License-Identifier: Apache-2.0
"""Where an adapter acts, as people write it: the name of a region, or boxes; read and written.

In: `left`, or `0,0,0.5,1/0.8,0,1,1`. Out: the same in one spelling, and its boxes; or a refusal
that names the character. Whether a box lies in the picture is not known here.
"""

import math
import re
from typing import NoReturn

from tabard_server.engine_port.regions import Box
from tabard_server.errors import invalid

BOXES_MAX = 16
"""Most boxes of one region."""
NAME_CHARS_MAX = 32
"""Longest name of a region."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*", re.ASCII)
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?", re.ASCII)
_SIDES = len(Box._fields)
_SHOWN = 40
_HINT = (
    "write the name of a region (a letter, then letters, digits, - and _), or boxes as "
    "left,top,right,bottom in shares of the picture, like 0,0,0.5,1, with / between several"
)


def read_region(text: str, *, place_of: str, at: int = 0) -> str:
    """Read where an adapter acts, and return it in one spelling: a name, or boxes in order.

    Args:
        text: As somebody wrote it.
        place_of: The field that it stands in.
        at: Characters before it in that field.

    Raises:
        InvalidRequest: It is neither (`CONTROL_MALFORMED`).
    """
    found = text.strip()
    if not is_name(found):
        return write_boxes(read_boxes(text, place_of=place_of, at=at))
    if len(found) > NAME_CHARS_MAX:
        _refuse(place_of, f"the name {found[:_SHOWN]!r} is too long", place=at)
    return found


def is_name(text: str) -> bool:
    """Say whether a text names a region; boxes begin with a digit, a sign or a dot."""
    return _NAME.fullmatch(text) is not None


def read_boxes(text: str, *, place_of: str, at: int = 0) -> tuple[Box, ...]:
    """Read boxes: `left,top,right,bottom`, with `/` between several.

    Raises:
        InvalidRequest: They cannot be read (`CONTROL_MALFORMED`); the message names the character,
            counted from 1.
    """
    parts = text.split("/")
    if len(parts) > BOXES_MAX:
        _refuse(place_of, f"{len(parts)} boxes of one region, at most {BOXES_MAX}", place=at)
    found = []
    for part in parts:
        found.append(_read_box(part, place_of=place_of, at=at))
        at += len(part) + 1
    return tuple(found)


def write_boxes(boxes: tuple[Box, ...]) -> str:
    """Write boxes as `read_boxes` reads them, each once and in order: one area has one text."""
    return "/".join(",".join(map(_number, box)) for box in sorted(set(boxes)))


def _read_box(text: str, *, place_of: str, at: int) -> Box:
    sides = text.split(",")
    if len(sides) != _SIDES:
        _refuse(place_of, f"{text[:_SHOWN]!r} is no box of {_SIDES} numbers", place=at)
    numbers = []
    for side in sides:
        if not (_NUMBER.fullmatch(side.strip()) and math.isfinite(float(side))):
            _refuse(place_of, f"{side[:_SHOWN]!r} is no number", place=at)
        # Adding 0.0 takes the sign of a zero, which says nothing.
        numbers.append(float(side) + 0.0)
        at += len(side) + 1
    return Box(*numbers)


def _number(value: float) -> str:
    return repr(value).removesuffix(".0")


def _refuse(place_of: str, message: str, *, place: int) -> NoReturn:
    raise invalid(
        place_of,
        f"{message}, at character {place + 1}",
        reason="CONTROL_MALFORMED",
        hint=_HINT,
    )
