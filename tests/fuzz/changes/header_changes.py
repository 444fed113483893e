# SPDX-License-Identifier: Apache-2.0
"""Ways to bend a header whose tensors are sound: offsets, shapes, types, keys, JSON itself.

Each takes a `Random` and the header as a table and gives the header's text and what it now means.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from random import Random
from typing import Any

from tests.fuzz.changes.demand import Demand
from tests.fuzz.document import to_text

Header = dict[str, Any]
BentText = tuple[bytes, Demand]

_SIZES: tuple[Any, ...] = (
    *(0, -1, 1, 2**31, 2**32, 2**40, 2**63, 2**64, 10**40, 1.0, 1e400, math.nan, -math.inf),
    *(True, None, "8", [], {}, [8], 0.5),
)
_ROWS: tuple[Any, ...] = (None, [], {}, 1, "F16", {"dtype": "F16"}, [[]], True, math.nan)
_METADATA: tuple[Any, ...] = (
    *(None, [], 1, "x", {"a": 1}, {"a": None}, {"a": ["b"]}, {"a": {"b": "c"}}, {"\ud800": "x"}),
    *({"a": "\ud800"}, {"": ""}, {"ss_base_model_version": "sdxl_base_v1-0"}, {"a": math.nan}),
)
_KEYS = ("", " ", "a" * 300, "\ud800", "\x00", "__metadata__ ", "alpha", "😀", "\n", "a" * 257)


def pad(rng: Random, header: Header) -> BentText:
    """Write spaces between and after, as other writers do."""
    text = json.dumps(header, indent=rng.choice((None, 1))).encode()
    return text + b" " * rng.randrange(64), Demand.KEEPS


def escape(rng: Random, header: Header) -> BentText:
    """Write characters as escapes, which is the same text."""
    text = json.dumps(header, separators=(",", ":"))
    letter = rng.choice("abdlnu")
    return text.replace(letter, f"\\u{ord(letter):04x}").encode(), Demand.KEEPS


def shift(rng: Random, header: Header) -> BentText:
    """Move the offsets of a tensor."""
    row = _row(rng, header)
    start, end = row["data_offsets"]
    by = rng.choice((-8, -2, -1, 1, 2, 4, 8, 1024, 2**40, 2**63))
    row["data_offsets"] = rng.choice(
        ([start + by, end + by], [start, end + by], [start + by, end], [end, start], [start, start])
    )
    return to_text(header), Demand.BREAKS


def overlap(rng: Random, header: Header) -> BentText:
    """Let a tensor lie where another one lies."""
    one, two = _row(rng, header), _row(rng, header)
    demand = Demand.EITHER if one is two else Demand.BREAKS
    one["data_offsets"] = list(two["data_offsets"])
    return to_text(header), demand


def odd_shape(rng: Random, header: Header) -> BentText:
    """Put something into a shape that is no size, or one too many."""
    row = _row(rng, header)
    size = rng.choice(_SIZES)
    row["shape"] = rng.choice(
        ([*row["shape"], size], [size], [size] * 40, size, [size, *row["shape"]])
    )
    is_one = type(size) is int and size == 1 and isinstance(row["shape"], list)
    return to_text(header), Demand.EITHER if is_one or row["shape"] == [] else Demand.BREAKS


def odd_offset(rng: Random, header: Header) -> BentText:
    """Put something into the offsets that is none."""
    row = _row(rng, header)
    end = row["data_offsets"][1]
    size = rng.choice(_SIZES)
    row["data_offsets"] = rng.choice(([size, end], [0, size], [size], size, [0, end, size]))
    return to_text(header), Demand.EITHER


def odd_row(rng: Random, header: Header) -> BentText:
    """Describe a tensor by something else, or by more or less than its three fields."""
    key = rng.choice(_tensors(header))
    row = header[key]
    lost = rng.choice(list(row))
    less = {name: value for name, value in row.items() if name != lost}
    header[key] = rng.choice((*_ROWS, less, {**row, "more": 1}, {**row, "dtype": ["F16"]}))
    return to_text(header), Demand.BREAKS


def odd_metadata(rng: Random, header: Header) -> BentText:
    """Put something into the metadata that is no table of texts, or lies."""
    header["__metadata__"] = rng.choice(_METADATA)
    return to_text(header), Demand.EITHER


def odd_key(rng: Random, header: Header) -> BentText:
    """Give a tensor a name that is none."""
    key = rng.choice(_tensors(header))
    header[rng.choice(_KEYS)] = header.pop(key)
    return to_text(header), Demand.EITHER


def twice(rng: Random, header: Header) -> BentText:
    """Say a key twice: what comes first and what comes last are both right and both wrong."""
    key = rng.choice(list(header))
    body = to_text(header).rstrip()[1:-1]
    again = json.dumps({key: header[key]}, separators=(",", ":")).encode()[1:-1]
    return b"{" + rng.choice((body + b"," + again, again + b"," + body)) + b"}", Demand.BREAKS


def twice_inside(rng: Random, header: Header) -> BentText:
    """Say a field of a tensor twice."""
    text = to_text(header)
    name = rng.choice((b'"dtype":"F16"', b'"shape":[8,2]', b'"shape":[2,8]'))
    return text.replace(name, name + b"," + name, 1), Demand.EITHER


def deepen(rng: Random, header: Header) -> BentText:
    """Nest something very deeply."""
    depth = rng.choice((10, 10, 900, 900, 1_100, 1_100, 1_100, 20_000))
    opening, closing = rng.choice(((b"[", b"]"), (b'{"a":', b"}")))
    bomb = opening * depth + (b"1" if opening != b"[" else b"") + closing * rng.choice((0, depth))
    return b'{"bomb":' + bomb + b"," + to_text(header)[1:], Demand.BREAKS


def not_json(rng: Random, header: Header) -> BentText:
    """Write what Python's JSON would take and the format does not, or nobody takes."""
    text = to_text(header).rstrip()
    return rng.choice(
        (
            text.replace(b'"data_offsets":[0', b'"data_offsets":[-0', 1),
            text.replace(b'"shape":[', b'"shape":[NaN,', 1),
            text.replace(b",", b",,", 1),
            text[:-1] + b",}",
            b"[" + text + b"]",
            text + text,
            text[:-1],
            text.replace(b":", b"=", 1),
            text + b"\0\0\0\0",
            text.replace(b"{", b"{//\n", 1),
            text.replace(b'"', b"'"),
            text + b"\xff",
        )
    ), Demand.EITHER


def many(rng: Random, header: Header) -> BentText:
    """Add so many things that a limit should say no."""
    count = rng.choice((100,) * 9 + (1_000,) * 9 + (25_000,))
    row = rng.choice((_row(rng, header), {}, [], {"dtype": "F16", "shape": [], "data_offsets": []}))
    return to_text(header | {f"k{n}": row for n in range(count)}), Demand.BREAKS


def _tensors(header: Header) -> list[str]:
    return [key for key in header if key != "__metadata__"]


def _row(rng: Random, header: Header) -> dict[str, Any]:
    row: dict[str, Any] = header[rng.choice(_tensors(header))]
    return row


HEADER_CHANGES: tuple[Callable[[Random, Header], BentText], ...] = (
    *(pad, escape, shift, overlap, odd_shape, odd_offset, odd_row, odd_metadata, odd_key),
    *(twice, twice_inside, deepen, not_json, many),
)
