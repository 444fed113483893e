# SPDX-License-Identifier: Apache-2.0
"""What callers ask of the registry, whichever door they come by: bounded, and times with offset."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from tabard_registry import AdapterRef, Author, NotFound, Registry
from tabard_server.errors import InvalidRequest
from tabard_server.limits import Limits
from tabard_server.publishing.questions import Questions
from tests.registry.fakes import MemoryStore
from tests.server.adapters.published_lora import publish_lora
from tests.server.publishing.asked import questioning

FOREVER = "2999-01-01T00:00:00Z"


@pytest.fixture(scope="module")
def stocked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A registry with three lines, each promoted."""
    registry = Registry.open(MemoryStore())
    for name in ("acme/a", "acme/b", "acme/c"):
        publish_lora(registry, folder=tmp_path_factory.mktemp("file"), name=name)
        ref = AdapterRef.parse(f"{name}@1.0.0")
        registry.promote(ref, channel="stable", author=Author(actor="ann", reason="good"))
    yield registry
    registry.close()


@pytest.fixture
def ask(stocked: Registry) -> Callable[..., Any]:
    """Ask one question of a server whose pages have two entries, or three at most."""

    def ask(question: Callable[[Questions], Awaitable[Any]]) -> Any:
        async def walk() -> Any:
            limits = Limits(page_size_default=2, page_size_max=3)
            async with questioning(stocked, limits=limits) as (questions, _follower):
                return await question(questions)

        return asyncio.run(walk())

    return ask


@pytest.mark.parametrize(
    ("after", "size", "names", "token"),
    [
        ("", 0, ["acme/a", "acme/b"], "acme/b"),
        ("acme/b", 0, ["acme/c"], ""),
        ("", 99, ["acme/a", "acme/b", "acme/c"], ""),
        ("", 1, ["acme/a"], "acme/a"),
        ("acme/c", 1, [], ""),
    ],
)
def test_pages_follow_one_another(
    ask: Callable[..., Any], after: str, size: int, names: list[str], token: str
) -> None:
    """Zero asks for as many as is usual, and no page is larger than may be."""
    page, following = ask(lambda questions: questions.adapters(after=after, size=size))

    assert [str(one.name) for one in page] == names
    assert following == token


def test_history_is_bounded_and_oldest_first(ask: Callable[..., Any]) -> None:
    """The newest acts, in the order they happened; a channel leaves out the others."""
    newest = ask(lambda questions: questions.history("", channel="", since="", until="", limit=3))
    moves = ask(
        lambda questions: questions.history(
            "acme/b", channel="stable", since="", until=FOREVER, limit=0
        )
    )

    assert [one.seq for one in newest] == [4, 5, 6]
    assert [(one.type, one.adapter, one.actor) for one in moves] == [("promote", "acme/b", "ann")]


def test_more_servings_are_said(ask: Callable[..., Any]) -> None:
    """Whoever gets a part of the answer knows that it is one."""
    some, is_more = ask(
        lambda questions: questions.served_at(FOREVER, adapter="", channel="", limit=2)
    )
    one, is_all = ask(
        lambda questions: questions.served_at(FOREVER, adapter="acme/c", channel="stable", limit=2)
    )

    assert (len(some), is_more) == (2, True)
    assert ([str(found.adapter) for found in one], is_all) == (["acme/c"], False)


@pytest.mark.parametrize(
    "time",
    ["noon", "2030-01-01T00:00:00", "0001-01-01T00:00:00+23:00", "9999-12-31T23:59:59-23:00"],
)
@pytest.mark.parametrize("field", ["since", "until", "time"])
def test_time_needs_an_offset(ask: Callable[..., Any], field: str, time: str) -> None:
    """What means no moment is refused by its field, with an example that does."""

    def question(questions: Questions) -> Awaitable[Any]:
        if field == "time":
            return questions.served_at(time, adapter="", channel="", limit=0)
        times = {"since": "", "until": "", field: time}
        return questions.history("", channel="", limit=0, **times)

    with pytest.raises(InvalidRequest) as caught:
        ask(question)

    (violation,) = caught.value.violations
    assert (violation.field, violation.reason) == (field, "TIME_INVALID")
    assert "Z" in violation.hint


def test_unknown_line_is_not_empty(ask: Callable[..., Any]) -> None:
    """Nothing happened to what is not there; that is said, not shown as silence."""
    with pytest.raises(NotFound):
        ask(lambda questions: questions.served_at(FOREVER, adapter="acme/no", channel="", limit=0))


def test_manifest_comes_with_its_release(ask: Callable[..., Any]) -> None:
    """A release and what its digest is the sha256 of."""
    release, manifest = ask(lambda questions: questions.manifest(AdapterRef.parse("acme/a@1.0.0")))

    assert str(release.adapter) == "acme/a"
    assert manifest.digest == release.digest
