# SPDX-License-Identifier: Apache-2.0
"""What callers ask of the registry, whichever door they come by, part by part."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tabard_registry import AdapterName, AdapterRef, Author, NotFound, Registry, State, Version
from tabard_registry.identity.roles import EVERYTHING
from tabard_server.publishing.questions import Questions
from tests.registry.fakes import MemoryStore
from tests.server.adapters.published_lora import publish_lora
from tests.server.publishing.asked import questioning

FOREVER = datetime(2999, 1, 1, tzinfo=UTC)


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
    """Ask one question."""

    def ask(question: Callable[[Questions, State], Awaitable[Any]]) -> Any:
        async def walk() -> Any:
            async with questioning(stocked) as (questions, _follower):
                return await question(questions, stocked.state)

        return asyncio.run(walk())

    return ask


@pytest.mark.parametrize(
    ("after", "size", "names", "is_more"),
    [
        ("", 2, ["acme/a", "acme/b"], True),
        ("acme/b", 2, ["acme/c"], False),
        ("", 3, ["acme/a", "acme/b", "acme/c"], False),
        ("acme/c", 1, [], False),
    ],
)
def test_lines_follow_one_another(
    ask: Callable[..., Any], after: str, size: int, names: list[str], is_more: bool
) -> None:
    """By name, and whether there are more is said."""
    found, more = ask(lambda q, state: q.adapters(state, after=after, size=size))

    assert ([str(one.name) for one in found], more) == (names, is_more)


def test_releases_follow_one_another(ask: Callable[..., Any]) -> None:
    """Those below a version; none is told twice."""
    name = AdapterName.parse("acme/a")

    all_of_them, _ = ask(lambda q, state: q.releases(state, name, after=None, size=9))
    behind, is_more = ask(
        lambda q, state: q.releases(state, name, after=Version.parse("1.0.0"), size=9)
    )

    assert [str(one.version) for one in all_of_them] == ["1.0.0"]
    assert (behind, is_more) == ([], False)


def test_history_is_whole_records_newest_first(ask: Callable[..., Any]) -> None:
    """Before a position of the log; a channel leaves out the others."""
    whole: dict[str, Any] = {
        "channel": "",
        "since": None,
        "until": None,
        "grants": EVERYTHING,
    }

    newest, is_more = ask(lambda q, state: q.history("", **whole, before=None, size=2))
    older, is_older = ask(lambda q, state: q.history("", **whole, before=newest[-1][0].seq, size=9))
    moves, _ = ask(
        lambda q, state: q.history(
            "acme/b",
            **whole | {"channel": "stable", "until": FOREVER},
            before=None,
            size=9,
        )
    )

    assert [acts[0].seq for acts in newest + older] == [6, 5, 4, 3, 2, 1]
    assert (is_more, is_older) == (True, False)
    assert [(one.type, one.adapter, one.actor) for (one,) in moves] == [
        ("promote", "acme/b", "ann")
    ]


def test_record_is_never_cut(monkeypatch: pytest.MonkeyPatch, ask: Callable[..., Any]) -> None:
    """Where the acts that were read end within a record, it is for the next page."""
    monkeypatch.setattr("tabard_server.publishing.questions.ACTIONS_MAX", 1)
    whole: dict[str, Any] = {
        "channel": "",
        "since": None,
        "until": None,
        "grants": EVERYTHING,
    }

    found, is_more = ask(lambda q, state: q.history("", **whole, before=None, size=2))

    assert ([acts[0].seq for acts in found], is_more) == ([6, 5], True)


def test_hits_follow_one_another(ask: Callable[..., Any]) -> None:
    """Behind the first so many, in the same order."""
    both, _ = ask(lambda q, state: q.search("acme", after=0, size=3, grants=EVERYTHING))
    first, is_more = ask(lambda q, state: q.search("acme", after=0, size=1, grants=EVERYTHING))
    rest, is_rest = ask(lambda q, state: q.search("acme", after=1, size=2, grants=EVERYTHING))

    assert (first + rest, is_more, is_rest) == (both, True, False)
    assert len(both) == 3


def test_servings_follow_one_another(ask: Callable[..., Any]) -> None:
    """Behind an adapter and its channel."""

    def served(after: tuple[str, str] | None, size: int) -> Any:
        return ask(
            lambda q, _state: q.served_at(
                FOREVER, adapter="", channel="", after=after, size=size, grants=EVERYTHING
            )
        )

    some, is_more = served(None, 2)
    rest, is_rest = served((str(some[-1].adapter), some[-1].channel), 2)

    assert [str(one.adapter) for one in some + rest] == ["acme/a", "acme/b", "acme/c"]
    assert (is_more, is_rest) == (True, False)


def test_unknown_line_is_not_empty(ask: Callable[..., Any]) -> None:
    """Nothing happened to what is not there; that is said, not shown as silence."""
    with pytest.raises(NotFound):
        ask(
            lambda q, _state: q.served_at(
                FOREVER,
                adapter="acme/no",
                channel="",
                after=None,
                size=1,
                grants=EVERYTHING,
            )
        )


def test_manifest_comes_with_its_release(ask: Callable[..., Any]) -> None:
    """A release and what its digest is the sha256 of."""
    release, manifest = ask(lambda q, state: q.manifest(state, AdapterRef.parse("acme/a@1.0.0")))

    assert str(release.adapter) == "acme/a"
    assert manifest.digest == release.digest
