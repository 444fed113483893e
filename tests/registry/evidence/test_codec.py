# SPDX-License-Identifier: Apache-2.0
"""Hostile JSON is refused by its path, and never by another exception."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabard_registry.errors import InvalidField
from tabard_registry.evidence.codec import parse_json, read, write
from tabard_registry.evidence.documents import document_from_json, read_document, to_bytes
from tabard_registry.evidence.report import Score
from tests.registry.evidence.reports import grid
from tests.registry.log.json_values import json_values


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"v":1,"v":1}', "twice"),
        (b'{"v":NaN}', "NaN is no number"),
        (b'{"v":' + b"9" * 5_000 + b"}", "too many digits"),
        (b"[" * 100_000, "not JSON"),
        (b"\xff", "not JSON"),
        (b"", "not JSON"),
        (b" " * (5 << 20), "5242880 bytes"),
    ],
)
def test_hostile_bytes(content: bytes, said: str) -> None:
    """Doubled keys, no numbers, endless ones, depth, size."""
    with pytest.raises(InvalidField, match=said):
        parse_json(content)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("steps", True, "grid.steps is no whole number"),
        ("steps", 2**80, "grid.steps is no whole number"),
        ("guidance_scale", "5", "grid.guidance_scale is no finite number"),
        ("purpose", "fun", "grid.purpose is none of"),
        ("prompts", {}, "grid.prompts is no list"),
        ("prompts", [{"text": 1}], r"grid.prompts\[0\].text is no text"),
        ("prompts", [{"text": "a", "colour": 1}], "unknown field 'colour'"),
        ("negative_prompt", "\x1b[2J", "control character"),
        ("negative_prompt", "\ud800", "half of a character"),
        ("negative_prompt", "a" * 8_001, "8001 characters"),
        ("v", 2, "v is not 1"),
        ("kind", "poem", "kind is none of"),
    ],
)
def test_wrong_field_is_named(field: str, value: Any, said: str) -> None:
    """The message says where and what."""
    found = {**json.loads(to_bytes(grid())), field: value}

    with pytest.raises(InvalidField, match=said):
        document_from_json(found)


def test_missing_field_is_named() -> None:
    """A field without a default has to be there."""
    found = json.loads(to_bytes(grid()))
    del found["steps"]

    with pytest.raises(InvalidField, match=r"grid\.steps is missing"):
        document_from_json(found)


@given(json_values, st.sampled_from(["grid", "report", "references", "previews", "training"]))
def test_any_json_is_a_document_or_refused(value: Any, kind: str) -> None:
    """Whatever it is, it is read or refused as a field."""
    found = {**value, "v": 1, "kind": kind} if isinstance(value, dict) else value

    with pytest.raises(InvalidField):
        read_document(json.dumps(found).encode())


def test_defaults_are_not_written() -> None:
    """A field that is added later changes no digest of an older document."""
    score = Score(name="style", state="measured", value=0.5)

    assert write(score) == {"name": "style", "state": "measured", "value": 0.5}
    assert read(Score, write(score), path="score") == score
