# SPDX-License-Identifier: Apache-2.0
"""A review as one page: nothing runs in it, nothing is asked for, and every word is a word."""

from html.parser import HTMLParser
from typing import Any

from tabard import Review, Reviews
from tabard.health.review_page import review_page

BAD = "\"'><script>hit()</script><img src=x onerror=hit()>"
REPORT: dict[str, Any] = {
    "against": {"version": "1.0.0"},
    "verdict": f"Failed{BAD}",
    "reasons": [f"broken{BAD}"],
    "checks": {"artifact": {"state": "flagged", "by": BAD, "note": BAD}},
    "prompt_record": [{"prompt": f"good{BAD}"}, {"prompt": "bad"}, {"prompt": "control"}],
    "prompts": [{"prompt": f"good{BAD}", "mean": 1.5}, {"prompt": "bad", "mean": 0.25}],
    "candidates": [{"image": f"new{place}", "prompt": place, "seed": 7} for place in (0, 1, 2)],
    "baseline": [{"image": f"old{place}", "prompt": place, "seed": 7} for place in (0, 1)],
}


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


def read() -> Reader:
    said = Reviews(
        adapter="acme/ink",
        version="2.0.0",
        digest="sha256:d",
        report_digest="sha256:r",
        report_verdict="failed",
        reviews=(
            Review(
                reviewer=f"ann{BAD}",
                on_behalf_of="",
                proof="",
                decision="reject",
                note=f"pale{BAD}",
                evidence_digest="sha256:r",
                is_current=True,
                seq=9,
                time="2026-01-01T00:00:00Z",
            ),
        ),
        votes_for_candidate=1,
        votes_for_baseline=5,
        votes_tied=2,
        votes_both_bad=3,
        labels={"artifact": (4, 0)},
    )
    reader = Reader()
    page = review_page(REPORT, said, digest="sha256:r", address_of=lambda one: f"{one}{BAD}.png")
    reader.feed("".join(page))
    return reader


def test_nothing_runs_and_nothing_is_asked_for() -> None:
    """Whatever people wrote, in whatever field."""
    page = read()

    names = {name for name, _ in page.attributes}
    assert not {"script", "link", "iframe", "svg", "object", "form"} & set(page.tags)
    assert not [name for name in names if name.startswith("on")]
    assert page.tags.count("img") == 5
    assert page.text.count("<script>hit()</script>") >= 5


def test_all_that_people_say_is_there() -> None:
    """Decision, note, votes, labels, and what was judged by which digest."""
    text = read().text

    for words in ("reject by ann", "pale", "1 for it, 5 for what", "3 against both"):
        assert words in text
    for words in ("artifact: 4 of its pictures", "release sha256:d", "report sha256:r", "Seed 7"):
        assert words in text


def test_worst_prompts_come_first() -> None:
    """Those that are not scored come last; a control has the one picture that there is."""
    images = [value for name, value in read().attributes if name == "src"]

    assert [one[:4] for one in images if one] == ["new1", "old1", "new0", "old0", "new2"]
