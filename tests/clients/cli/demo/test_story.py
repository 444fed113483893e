# SPDX-License-Identifier: Apache-2.0
"""The demo's story told against the fake server: every act and every row, in order."""

import contextlib
import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from tabard import Client
from tabard.cli.demo.catalog import read_catalog
from tabard.cli.demo.story import (
    BAD,
    BASE,
    FEW,
    FEW_STYLED,
    IMAGES_PER_ROW,
    PAIR,
    RESTORED,
    STYLE,
    SUBJECT,
    WORD,
    WRONG,
    Story,
    Told,
)
from tests.clients.fakes.server import FakeServer


class SilentBar:
    """A bar that remembers how far it got."""

    def __init__(self) -> None:
        self.done, self.total = 0, 0

    def set(self, done: int, *, total: int | None = None) -> None:
        self.done, self.total = done, total or 0


class Listener:
    """Stands for the output: keeps what was told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.bars: list[SilentBar] = []

    def say(self, text: str) -> None:
        self.told.append(text)

    @contextlib.contextmanager
    def progress(self, description: str, *, total: int) -> Iterator[SilentBar]:
        self.bars.append(SilentBar())
        yield self.bars[-1]


@pytest.fixture
def listener() -> Listener:
    """Somebody who hears the story."""
    return Listener()


@pytest.fixture
def told(client: Client, adapters: Path, listener: Listener) -> Told:
    """Tell the story; every look at the clock is a second later."""
    seconds = map(float, itertools.count())
    story = Story(
        client=client,
        catalog=read_catalog(adapters),
        seed=7,
        narrator=listener,
        clock=lambda: next(seconds),
    )
    return story.tell()


def test_rows_wear_what_was_live(told: Told) -> None:
    """The bad release is worn while it is stable, the good one before and after."""
    worn = [[one.version for one in told.row(key).worn] for key in (BASE, STYLE, BAD, RESTORED)]

    assert worn == [[], ["1.0.0"], ["1.1.0"], ["1.0.0"]]
    assert {len(row.images) for row in told.rows} == {IMAGES_PER_ROW}
    assert {row.images[0].seed for row in told.rows} == {7}


def test_rows_to_compare_share_the_words(told: Told) -> None:
    """Base and style draw the same prompt, without words of a style: the adapter alone acts."""
    prompts = {row.key: row.prompt for row in told.rows}

    assert {prompts[key] for key in (BASE, STYLE, BAD, RESTORED)} == {"a red circle"}
    assert (prompts[WORD], prompts[SUBJECT]) == ("a <plum> circle", "a sks mascot")
    assert prompts[PAIR] == prompts[SUBJECT]


def test_few_steps_are_left_to_the_release(told: Told, server: FakeServer) -> None:
    """Nothing is said of steps: they are those that it declares, with a style beside it too."""
    asked = [one for one in server.state.requests if hasattr(one, "num_inference_steps")]
    requests = {row.key: one for row, one in zip(told.rows, asked, strict=True)}

    for key in (FEW, FEW_STYLED):
        assert not requests[key].HasField("num_inference_steps") and not requests[key].sampler
        assert {one.provenance["steps"] for one in told.row(key).images} == {4}
        assert told.row(key).warnings == ()
    assert requests[WRONG].timestep_spacing == "leading"
    assert told.row(WRONG).warnings


def test_compared_files_are_deterministic(told: Told, server: FakeServer) -> None:
    """Else equal files would prove nothing; where none are compared, images share their passes."""
    drawn = [one for one in server.state.requests if hasattr(one, "num_inference_steps")]
    asked = zip(told.rows, drawn, strict=True)

    assert len(drawn) == 10
    assert [row.key for row, one in asked if one.deterministic] == [STYLE, RESTORED]


def test_times_are_taken_of_every_act(told: Told) -> None:
    """By the clock that was given."""
    names = [f"{release.adapter}@{release.version}" for release in told.releases]

    assert told.publish_seconds == dict.fromkeys(names, 1.0)
    assert told.promote_seconds == dict.fromkeys(names, 1.0)
    assert told.rollback_seconds == 1.0


def test_listener_hears_every_act(told: Told, listener: Listener) -> None:
    """A sentence an act, and bars that get to their end."""
    assert sum(text.startswith("published ") for text in listener.told) == 6
    assert any(text.startswith("rolled back acme/watercolor, stable") for text in listener.told)
    assert "drew 4 images wearing nothing in 1.0 s" in listener.told
    assert all(bar.done == bar.total > 0 for bar in listener.bars)
