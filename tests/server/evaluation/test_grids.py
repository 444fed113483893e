# SPDX-License-Identifier: Apache-2.0
"""Grids that somebody wrote: what is read, and what no release could be drawn with."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tabard_registry.errors import InvalidField
from tabard_registry.evidence.documents import to_bytes
from tabard_registry.evidence.grid import GridPrompt
from tabard_server.errors import InvalidRequest
from tabard_server.evaluation.grids import read_grid, refuse_unfit
from tests.registry.evidence.reports import grid


def said(**fields: Any) -> bytes:
    """A grid's document with something else in it."""
    return json.dumps(json.loads(to_bytes(grid())) | fields).encode()


def test_grid_is_read_as_it_was_written() -> None:
    """However it is laid out."""
    assert read_grid(said()) == grid()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (said(prompts=[]), "GRID_EMPTY"),
        (said(seeds=[]), "GRID_EMPTY"),
        (said(prompts=[{"text": f"a {n}"} for n in range(65)]), "GRID_TOO_LARGE"),
        (said(seeds=list(range(17))), "GRID_TOO_LARGE"),
        (said(steps=0), "FIELD_INVALID"),
        (said(name="Not A Name!"), "INVALID_CHANNEL"),
        (b'{"v": 1, "kind": "previews"}', "FIELD_INVALID"),
        (b"no JSON", "FIELD_INVALID"),
    ],
)
def test_impossible_grid_is_refused(content: bytes, reason: str) -> None:
    """Each with what to do."""
    with pytest.raises((InvalidField, InvalidRequest, Exception)) as refused:
        read_grid(content)

    assert getattr(refused.value, "reason", "") == reason


def test_document_of_another_kind_is_refused() -> None:
    """Though it is a document."""
    references = {
        "v": 1,
        "kind": "references",
        "release": {"adapter": "a/b", "version": "1.0.0", "digest": "sha256:" + "a" * 64},
        "pictures": [f"sha256:{n}" + "a" * 63 for n in range(4)],
    }
    with pytest.raises(InvalidRequest, match="of the kind references"):
        read_grid(json.dumps(references).encode())


def test_prompt_has_a_place_for_the_trigger() -> None:
    """Where there is a word that wakes the release; controls have none."""
    without = grid(prompts=tuple(GridPrompt(text=f"number {n}") for n in range(12)))
    control = grid(prompts=(*grid().prompts, GridPrompt(text="a bridge", control=True)))

    refuse_unfit(control, trigger="inkwash")
    refuse_unfit(without, trigger="")
    with pytest.raises(InvalidField) as refused:
        refuse_unfit(without, trigger="inkwash")
    assert refused.value.reason == "TRIGGER_MISSING"
    assert "{trigger}" in refused.value.hint


def test_prompt_with_an_adapter_is_refused() -> None:
    """Every side would wear it."""
    tagged = grid(prompts=(*grid().prompts, GridPrompt(text="<lora:acme/ink> {trigger}")))

    with pytest.raises(InvalidRequest) as refused:
        refuse_unfit(tagged, trigger="")
    assert refused.value.reason == "GRID_NAMES_ADAPTER"
