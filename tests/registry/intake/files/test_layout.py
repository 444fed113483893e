# SPDX-License-Identifier: Apache-2.0
"""Headers of one kind are parsed once, and never taken for what they are not."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tabard_registry import IntakeLimits
from tabard_registry.intake.files import layout
from tabard_registry.intake.files.headers import BadHeader
from tabard_registry.intake.files.layout import Layout, forget_layouts, read_layout
from tests.registry.intake.files.raw_files import entry

TENSORS = {"a": entry(), "b": entry(4, 8)}
LIMITS = IntakeLimits()


@pytest.fixture(autouse=True)
def _nothing_known() -> Iterator[None]:
    forget_layouts()
    yield
    forget_layouts()


def header(metadata: object = None, tensors: Any = TENSORS) -> bytes:
    """Write a header, with its texts in front as the format's own writer does."""
    first = {} if metadata is None else {"__metadata__": metadata}
    return json.dumps({**first, **tensors}, separators=(",", ":")).encode()


def read(text: bytes, *, limits: IntakeLimits = LIMITS) -> tuple[dict[str, str], Layout] | str:
    """Read a header; return what comes of it, or the words of the refusal."""
    try:
        metadata, found = read_layout(text, limits=limits)
    except BadHeader as error:
        return str(error)
    return dict(metadata), found


def test_same_tensors_are_one_layout() -> None:
    """Files that differ in their free texts share what is said of their tensors."""
    one = read(header({"run": "1"}))
    other = read(header({"run": "22", "x": "ä😀"}) + b"   ")
    plain, again = read(header()), read(header())

    assert not isinstance(one, str) and not isinstance(other, str)
    assert one[1] is other[1]
    assert (one[0], other[0]) == ({"run": "1"}, {"run": "22", "x": "ä😀"})
    assert not isinstance(plain, str) and not isinstance(again, str) and plain[1] is again[1]
    assert read(header({"run": "1"}, {"a": entry()})) != one


BENT = {
    "texts that are numbers": header({"run": 1}),
    "texts twice": header({"run": "1"}).replace(b'"run":"1"', b'"run":"1","run":"1"'),
    "texts in front and behind": header({"run": "1"})[:-1] + b',"__metadata__":{}}',
    "half a character": header({"run": "1"}).replace(b'"1"', b'"\\ud800"'),
    "not UTF-8": header({"run": "1"}).replace(b'"1"', b'"\xff"'),
    "nothing between": b'{"__metadata__":{"run":"1"}' + header()[1:],
    "tensors behind": b'{"__metadata__":{"run":"1"}' + header(),
    "a list": header([["run", "1"]]),
    "more behind": header({"run": "1"}) + b"}",
    "negative": header({"run": "1"}).replace(b"[0,4]", b"[-0,4]"),
    "texts in the middle": b"{" + header()[1:-1] + b',"__metadata__":{"run":"1"}}',
    "no texts behind": b"{" + header()[1:-1] + b',"__metadata__":{}}',
    "spaces": header({"run": "1"}).replace(b":{", b" :  {"),
    "escaped": header({"run": "1"}).replace(b"metadata", b"\\u006detadata"),
}


@pytest.mark.parametrize("name", BENT)
def test_header_is_read_as_if_it_were_the_first(name: str) -> None:
    """What was read before never makes a header be taken, or read in another way."""
    cold = read(BENT[name])
    forget_layouts()
    for known in (header(), header({}), header({"run": "1"}), header({"run": "2"})):
        assert not isinstance(read(known), str)

    warm = read(BENT[name])

    if isinstance(cold, str) or isinstance(warm, str):
        assert warm == cold
    else:
        assert (warm[0], warm[1].tensors) == (cold[0], cold[1].tensors)
    assert read(BENT[name]) == warm or not isinstance(warm, str)


def test_texts_behind_the_tensors_are_no_part_of_a_kind() -> None:
    """A header with its texts elsewhere is read whole, each time."""
    for run in ("1", "2"):
        text = b"{" + header()[1:-1] + b',"__metadata__":{"run":"' + run.encode() + b'"}}'
        for _ in range(2):
            found = read(text)
            assert not isinstance(found, str) and found[0] == {"run": run}


def test_bound_holds_for_what_is_known() -> None:
    """A header that others may write is refused where fewer tensors are taken."""
    assert not isinstance(read(header({"run": "1"})), str)

    assert read(header({"run": "1"}), limits=IntakeLimits(tensors_max=1)) == (
        "2 tensors; at most 1 are taken"
    )


ODD = {
    **BENT,
    "a comma behind texts": b'{"__metadata__":{"run":"1"},}',
    "a comma in front": b"," + header()[1:],
    "another sign in front": b"x" + header()[1:],
    "a comma behind": header()[:-1] + b",}",
    "a mark of order": b"\xef\xbb\xbf" + header(),
    "blanks in front": b"  " + header(),
    "a tensor twice": header()[:-1] + b"," + header(tensors={"a": entry()})[1:],
    "a field twice": header().replace(b'"dtype":"F32"', b'"dtype":"F32","dtype":"F32"', 1),
    "a field too many": header().replace(b'"dtype":"F32"', b'"dtype":"F32","x":1', 1),
    "a field too few": header().replace(b'"dtype":"F32",', b"", 1),
    "a fraction": header().replace(b"[0,4]", b"[0.0,4]"),
    "a power": header().replace(b"[0,4]", b"[0,4e0]"),
    "true": header().replace(b"[0,4]", b"[false,4]"),
    "a large offset": header().replace(b"[0,4]", b"[0,99999999999999999999999]"),
    "three offsets": header().replace(b"[0,4]", b"[0,4,4]"),
    "other sizes": header().replace(b"[0,4]", b"[0,5]"),
    "another type": header().replace(b"F32", b"F31"),
    "eight bits": header().replace(b"F32", b"F8_E4M3"),
    "no name": header(tensors={"": entry()}),
    "a long name": header(tensors={"a" * 257: entry()}),
    "texts that are a tensor": header(tensors={"__metadata__": entry()}),
    "nine dimensions": header(tensors={"a": {**entry(), "shape": [1] * 9}}),
    "eight dimensions": header(tensors={"a": {**entry(), "shape": [1] * 8}}),
    "a quotation mark": header(tensors={'a"': entry()}),
    "a minus in a name": header(tensors={",-1": entry()}),
    "no tensors": b"{}",
    "nothing": b"",
    "a list of tensors": b"[" + header() + b"]",
    "text behind": header() + b" x",
}


@pytest.mark.parametrize("name", ODD)
def test_quick_reader_takes_nothing_more(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is read in one go is what the careful reader reads, and it refuses all else."""
    quick = read(ODD[name])
    forget_layouts()
    monkeypatch.setattr(layout, "_parse_plain", lambda *_, **__: None)

    careful = read(ODD[name])

    if isinstance(quick, str) or isinstance(careful, str):
        assert quick == careful
    else:
        assert (quick[0], quick[1].tensors) == (careful[0], careful[1].tensors)


def test_usual_headers_are_read_in_one_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """With and without texts, the careful reader is not asked."""
    monkeypatch.setattr(layout, "_parse", None)

    for text in (header(), header({"run": '1 " 2'}), header() + b"   ", header({})):
        assert not isinstance(read(text), str)
