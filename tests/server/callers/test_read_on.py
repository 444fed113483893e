# SPDX-License-Identifier: Apache-2.0
"""What is not there is asked for once more after news, and only then."""

import asyncio

import pytest

from tabard_registry.errors import NotFound
from tabard_server.callers.read_on import found


@pytest.mark.parametrize(
    ("misses", "news", "asked"), [(0, True, 1), (1, True, 2), (1, False, 1), (2, True, 2)]
)
def test_news_is_a_reason_to_ask_again(misses: int, news: bool, asked: int) -> None:
    """One look at the log for a miss, one question more if there was anything in it."""
    questions: list[int] = []

    async def ask() -> str:
        questions.append(1)
        if len(questions) <= misses:
            raise NotFound("no adapter acme/ink", reason="ADAPTER_NOT_FOUND", hint="list them")
        return "here"

    async def read_on() -> bool:
        return news

    walk = found(ask, read_on=read_on)
    if asked > misses:
        assert asyncio.run(walk) == "here"
    else:
        with pytest.raises(NotFound):
            asyncio.run(walk)

    assert len(questions) == asked
