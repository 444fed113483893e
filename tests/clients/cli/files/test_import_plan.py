# SPDX-License-Identifier: Apache-2.0
"""Every adapter of a folder gets a name and a state; nothing is published by planning."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import pytest

from tabard import InvalidArgument, Unavailable
from tabard.cli.files import import_plan
from tabard.cli.files.import_plan import Row, carry_out, plan_import
from tabard.cli.files.sidecars import Sidecar
from tabard.cli.files.ui_folders import Item
from tabard.cli.local.publishers import Wanted
from tabard.releases.report import CheckReport, Problem

NO_TRIGGER = Problem(
    reason="NO_TRIGGER", message="nameless", remedy="say a word", keys=(), is_warning=False
)


class FakePublisher:
    """Implements `Publisher` in dictionaries; an embedding wants a word, a broken one nothing."""

    def __init__(self) -> None:
        self.held: dict[str, frozenset[str]] = {}
        self.published: list[Wanted] = []
        self.failure: Unavailable | None = None

    def originals(self, name: str, version: str) -> frozenset[str] | None:
        return self.held.get(f"{name}@{version}")

    def check(self, files: Sequence[Path], *, trigger_words: Sequence[str]) -> CheckReport:
        is_nameless = files[0].read_bytes().startswith(b"EMBEDDING") and not trigger_words
        return CheckReport(
            accepted=not is_nameless,
            kind="lora",
            dialect="kohya",
            rank=4,
            target_count=1,
            tensor_count=1,
            tensors_applied=1,
            trigger_words=tuple(trigger_words),
            problems=(NO_TRIGGER,) if is_nameless else (),
            resident_bytes=1,
        )

    def publish(self, wanted: Wanted) -> None:
        if self.failure is not None:
            raise self.failure
        self.published.append(wanted)


@pytest.fixture
def publisher() -> FakePublisher:
    """Nothing is published yet."""
    return FakePublisher()


def item(folder: Path, stem: str, body: bytes, *, sidecar: Sidecar | None = None) -> Item:
    """Write one adapter's file."""
    path = folder / f"{stem}.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)
    return Item(files=(path,), place=path.name, stem=path.stem, sidecar=sidecar or Sidecar())


def plan(publisher: FakePublisher, *items: Item) -> list[Row]:
    """Plan as mine/…@1.0.0."""
    seen: list[int] = []
    rows = plan_import(
        items, publisher=publisher, namespace="mine", version="1.0.0", on_progress=seen.append
    )
    assert seen == list(range(1, len(items) + 1))
    return rows


def test_planning_publishes_nothing(publisher: FakePublisher, tmp_path: Path) -> None:
    """What is new says what would be published, with what its sidecar says."""
    sidecar = Sidecar(trigger_words=("inkwash",), notes="use at 0.7")

    (row,) = plan(publisher, item(tmp_path, "Ink Wash", b"ink", sidecar=sidecar))

    assert (row.name, row.state, row.rank) == ("mine/ink-wash", "new", 4)
    assert row.wanted is not None
    assert (row.wanted.trigger_words, row.wanted.notes) == (("inkwash",), "use at 0.7")
    assert publisher.published == []


def test_taken_name_gets_a_piece_of_the_digest(publisher: FakePublisher, tmp_path: Path) -> None:
    """The same file always gets the same name, whoever holds the plain one."""
    tail = hashlib.sha256(b"two").hexdigest()[:8]
    twins = item(tmp_path / "a", "neon", b"one"), item(tmp_path / "b", "neon", b"two")

    together = [row.name for row in plan(publisher, *twins)]
    publisher.held["mine/neon@1.0.0"] = frozenset({"sha256:other"})
    alone = [row.name for row in plan(publisher, twins[1])]

    assert together == ["mine/neon", f"mine/neon-{tail}"]
    assert alone == [f"mine/neon-{tail}"]


def test_what_is_there_is_known_by_its_bytes(publisher: FakePublisher, tmp_path: Path) -> None:
    """It is passed over, and not even checked."""
    digest = f"sha256:{hashlib.sha256(b'EMBEDDING').hexdigest()}"
    publisher.held["mine/neon@1.0.0"] = frozenset({digest})

    (row,) = plan(publisher, item(tmp_path, "neon", b"EMBEDDING"))

    assert (row.state, row.problems) == ("there", ())
    assert carry_out(row, publisher=publisher) is row


def test_nameless_embedding_is_called_like_its_file(
    publisher: FakePublisher, tmp_path: Path
) -> None:
    """As UIs do; blanks are no part of a word."""
    (row,) = plan(publisher, item(tmp_path, "easy neg", b"EMBEDDING"))

    assert (row.state, row.trigger_words) == ("new", ("easyneg",))


def test_huge_and_unreadable_files_are_refused(
    publisher: FakePublisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each with its reason and its remedy; nothing of them is sent."""
    monkeypatch.setattr(import_plan, "BYTES_MAX", 3)
    huge, gone = item(tmp_path, "huge", b"1234"), item(tmp_path, "gone", b"x")
    gone.files[0].unlink()

    rows = plan(publisher, huge, gone)

    assert [(row.state, row.name, row.problems[0].reason) for row in rows] == [
        ("refused", "", "TOO_LARGE"),
        ("refused", "", "UNREADABLE"),
    ]
    assert all(row.problems[0].remedy for row in rows)


def test_new_row_is_carried_out(publisher: FakePublisher, tmp_path: Path) -> None:
    """It is published, and the row says so."""
    (row,) = plan(publisher, item(tmp_path, "neon", b"one"))

    done = carry_out(row, publisher=publisher)

    assert done.state == "published"
    assert [wanted.name for wanted in publisher.published] == ["mine/neon"]


def test_failure_is_told_in_the_row(publisher: FakePublisher, tmp_path: Path) -> None:
    """The others go on."""
    (row,) = plan(publisher, item(tmp_path, "neon", b"one"))
    publisher.failure = Unavailable("nobody there", reason="UNAVAILABLE", hint="try again")

    done = carry_out(row, publisher=publisher)

    assert (done.state, done.problems[-1].reason) == ("failed", "UNAVAILABLE")
    assert done.problems[-1].remedy == "try again"


def test_name_in_another_script_is_kept(publisher: FakePublisher, tmp_path: Path) -> None:
    """The ref is written in Latin letters, the title as people write it."""
    ink, neon = plan(
        publisher, item(tmp_path, "\u6c34\u5f69", b"ink"), item(tmp_path, "neon", b"neon")
    )

    assert ink.wanted is not None and neon.wanted is not None
    assert (ink.name, ink.wanted.title) == ("mine/shuicai", "\u6c34\u5f69")
    assert (neon.name, neon.wanted.title) == ("mine/neon", "")


def test_what_was_met_before_or_is_broken_is_told(publisher: FakePublisher) -> None:
    """Neither is checked; the second is refused."""
    same = Item(files=(), place="b.pt", same_as="a.pt")
    broken = Item(files=(), place="c.pt", trouble="it is a link to nothing")

    rows = plan(publisher, same, broken)

    assert [(row.state, row.same_as) for row in rows] == [("same", "a.pt"), ("refused", "")]
    assert rows[1].problems[0].reason == "UNREADABLE"


def test_file_that_goes_meanwhile_is_refused(
    publisher: FakePublisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One file that changes does not end the import of the others."""

    def refuse(_files: Sequence[Path], *, trigger_words: Sequence[str]) -> CheckReport:
        raise InvalidArgument("it is gone", reason="FILE_UNREADABLE")

    path = tmp_path / "ink.safetensors"
    path.write_bytes(b"x")
    monkeypatch.setattr(publisher, "check", refuse)

    (row,) = plan_import(
        [Item(files=(path,), place="ink.safetensors", stem="ink")],
        publisher=publisher,
        namespace="mine",
        version="1.0.0",
        on_progress=lambda _done: None,
    )

    assert (row.state, row.problems[-1].reason) == ("refused", "FILE_UNREADABLE")
