# SPDX-License-Identifier: Apache-2.0
"""Plain names become whole ones where that is certain."""

import asyncio
from collections.abc import Sequence

import pytest

from tabard import InvalidArgument, NotFound
from tabard_web.a1111.tags import with_whole_names

LINES = ("acme/ink", "acme/ink-wash", "acme/pen", "other/pen")


def whole(prompt: str) -> str:
    """Give the prompt with whole names, where a search finds whatever holds the word."""

    async def find(name: str) -> Sequence[str]:
        return [line for line in LINES if name in line]

    return asyncio.run(with_whole_names(prompt, find=find))


@pytest.mark.parametrize(
    ("prompt", "written"),
    [
        ("a <lora:ink:0.8> b", "a <lora:acme/ink:0.8> b"),
        ("<lora:ink>", "<lora:acme/ink>"),
        ("<lora:ink@beta:0.8>", "<lora:acme/ink@beta:0.8>"),
        ("<LORA: Ink : 0.8 >", "<LORA: acme/ink : 0.8 >"),
        ("<lora:ink:1><lora:ink-wash:1>", "<lora:acme/ink:1><lora:acme/ink-wash:1>"),
        ("<lora:acme/pen:1>", "<lora:acme/pen:1>"),
        ("<lora:ink:0.5:0.8>", "<lora:acme/ink:0.5:0.8>"),
        ("<lora:ink:0.5@0,1@0.6:lbw=1,0>", "<lora:acme/ink:0.5@0,1@0.6:lbw=1,0>"),
        ("<lora:ink:te=0.5:MID=0>", "<lora:acme/ink:te=0.5:MID=0>"),
        ("<lora:", "<lora:"),
        ("ink", "ink"),
    ],
)
def test_plain_names_become_whole(prompt: str, written: str) -> None:
    """All else of the prompt stays as it is: what it means is the server's business."""
    assert whole(prompt) == written


def test_name_of_several_is_refused() -> None:
    """With tags to choose from."""
    with pytest.raises(InvalidArgument) as refused:
        whole("<lora:pen:1>")

    assert "<lora:acme/pen:1>, <lora:other/pen:1>" in refused.value.hint


def test_name_of_none_is_not_found() -> None:
    """One that is only like it is none."""
    with pytest.raises(NotFound, match="wash"):
        whole("<lora:wash:1>")


def test_tags_are_bounded() -> None:
    """Each of them is looked for."""
    with pytest.raises(InvalidArgument, match="65 tags"):
        whole("".join(f"<lora:a{number}:1>" for number in range(65)))
