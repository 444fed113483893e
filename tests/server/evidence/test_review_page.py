# SPDX-License-Identifier: Apache-2.0
"""A review as one page: nothing runs in it, nothing is asked for, and every word is a word."""

from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tabard_registry import Registry, Release, sha256_bytes
from tabard_registry.evidence.documents import digest_of
from tabard_registry.evidence.report import (
    Against,
    Candidate,
    Check,
    Picture,
    PromptNote,
    PromptScore,
    Report,
    Score,
)
from tabard_registry.release.health import Review, Told
from tabard_server.evidence.review_page import review_page
from tabard_server.reviewing.votes import Standing
from tests.registry.evidence.reports import report_on
from tests.registry.fakes import publish

BAD = "\"'><script>hit()</script><img src=x onerror=hit()>"
IMAGES = {name: sha256_bytes(name.encode()) for name in ("new0", "new1", "new2", "old0", "old1")}
VOTES = Standing(
    choices=Counter(candidate=1, stable=5, tie=2, both_bad=3),
    labels=(Counter(artifact=4), Counter()),
)


class Reader(HTMLParser):
    """Notes elements, attributes and texts."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
def release(tmp_path: Path) -> Release:
    """A release that somebody rejects."""
    registry = Registry.open(str(tmp_path / "registry"))
    made = publish(registry, "2.0.0", folder=tmp_path).release
    report = digest_of(report_of(made))
    told = Told(seq=9, time="2026-01-01T00:00:00Z", actor=f"ann{BAD}")
    said = (
        Review(decision="reject", evidence=report, note=f"pale{BAD}", told=told),
        Review(decision="approve", evidence=None, note="", told=replace(told, seq=3, actor="bob")),
    )
    return replace(made, health=replace(made.health, reviews=said))


def report_of(release: Release) -> Report:
    """A report with something everywhere."""
    return report_on(
        release,
        verdict="Failed",
        against=Against(version=release.version, digest=release.digest),
        reasons=(f"broken{BAD}",),
        checks={"artifact": Check(state="flagged", by=BAD, note=BAD)},
        prompt_record=tuple(
            PromptNote(prompt=one, seed=7) for one in (f"good{BAD}", "bad", "control")
        ),
        prompts=(
            PromptScore(prompt=f"good{BAD}", mean=1.5, low=1, high=2, stable=True),
            PromptScore(prompt="bad", mean=0.25, low=0, high=1, stable=False),
        ),
        candidates=tuple(Candidate(image=IMAGES[f"new{n}"], prompt=n, seed=7) for n in range(3)),
        baseline=tuple(Picture(image=IMAGES[f"old{n}"], prompt=n, seed=7) for n in range(2)),
        scores=(
            Score(name="broken", state="measured", value=50, of=80),
            Score(name="style", state="measured", value=0.71, low=0.61, high=0.81, baseline=0.5),
            Score(name="subject", state="not_checked", reason=f"no encoder{BAD}"),
        ),
    )


def page_of(release: Release) -> bytes:
    """Its page."""
    report = report_of(release)
    return review_page(report, digest=digest_of(report), release=release, votes=VOTES)


def read(release: Release) -> Reader:
    """What a browser finds in it."""
    reader = Reader()
    reader.feed(page_of(release).decode())
    return reader


def test_nothing_runs_and_nothing_is_asked_for(release: Release) -> None:
    """Whatever people wrote, in whatever field."""
    page = read(release)

    names = {name for name, _ in page.attributes}
    assert not {"script", "link", "iframe", "svg", "object", "form"} & set(page.tags)
    assert not [name for name in names if name.startswith("on")]
    assert page.tags.count("img") == 5
    assert page.text.count("<script>hit()</script>") >= 5


def test_all_that_people_say_is_there(release: Release) -> None:
    """Decision, note, votes, labels, scores, and what was judged by which digest."""
    text = read(release).text

    for words in ("reject by ann", "pale", "1 for it, 5 for what", "3 against both"):
        assert words in text
    report = digest_of(report_of(release))
    for words in ("artifact: 4 of its pictures", f"release {release.digest}", f"report {report}"):
        assert words in text
    for words in ("50 of 80", "0.61 to 0.81", "not checked: no encoder", "approve by bob"):
        assert words in text
    assert text.index("reject by ann") < text.index("of another report")


def test_worst_prompts_come_first(release: Release) -> None:
    """Those that are not scored come last; a control has the one picture that there is."""
    images = [value for name, value in read(release).attributes if name == "src"]

    order = ("new1", "old1", "new0", "old0", "new2")
    assert images == [f"{IMAGES[name].hex}.png" for name in order]


def test_same_review_is_the_same_bytes(release: Release) -> None:
    """So that it is filed once; another word makes another page."""
    others = replace(release.health, reviews=release.health.reviews[:1])

    assert page_of(release) == page_of(release)
    assert page_of(replace(release, health=others)) != page_of(release)
