# SPDX-License-Identifier: Apache-2.0
"""Blind votes by keys alone, and a report looked at, compared and decided about."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tabard import Client
from tests.e2e.conftest import run_server
from tests.e2e.page.browser import NARROW, PATIENCE_MS, WIDE, Visit, visiting
from tests.e2e.page.judged import BEFORE, LINE, REF, judge
from tests.e2e.web.conftest import run_gateway

pytestmark = pytest.mark.page
PLACE = f"review/{LINE}/4.7.1"
SHEET = f"{PLACE}/report"
VOTES = 16


@pytest.fixture(scope="module")
def judged(
    tiny_base: Path, tiny_files: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Client, str]]:
    """A client of a server with a report, and the address of a gateway to it."""
    folder = tmp_path_factory.mktemp("judged")
    with (
        run_server(folder, base=tiny_base, is_forked=True) as server,
        Client(server.address, actor="mira") as client,
        run_gateway(server.address) as url,
    ):
        judge(client, files=[tiny_files["style0"], tiny_files["style3"]], folder=folder)
        yield client, url


@pytest.fixture
def desk(browser: Browser, judged: tuple[Client, str]) -> Iterator[Visit]:
    with visiting(browser, judged[1]) as visit:
        yield visit
        assert visit.complaints == []


def begin(visit: Visit, name: str) -> Page:
    """Open the blind pairs as somebody, by keys."""
    visit.go(PLACE)
    visit.page.wait_for_selector("#actor:focus")
    visit.page.keyboard.type(name)
    visit.page.keyboard.press("Enter")
    shown(visit.page, "1")
    return visit.page


def shown(page: Page, turn: str) -> None:
    page.wait_for_selector(f"tabard-review[data-turn='{turn}']")


def answer(page: Page, key: str) -> None:
    """Answer what is shown, and wait for what comes next."""
    before = page.get_attribute("tabard-review", "data-turn")
    page.keyboard.press(key)
    page.wait_for_function(
        "(before) => document.querySelector('tabard-review').dataset.turn !== before", arg=before
    )


def votes_of(client: Client, name: str) -> list[Any]:
    """The votes that are stored of somebody, oldest first."""
    acts = [act for record in client.history(LINE, limit=500) for act in record.actions]
    return [act for act in acts if act.type == "vote" and act.actor == name]


def test_sixteen_pairs_by_keys_alone(desk: Visit, judged: tuple[Client, str]) -> None:
    """With labels and a note; trials between them are no votes."""
    client, _ = judged
    page = begin(desk, "bob")
    keys = ("ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown")
    answers = 0
    while not page.text_content(".review-progress .muted", timeout=PATIENCE_MS).startswith(
        f"{VOTES} "
    ):
        if answers == 2:
            page.keyboard.press("1")
            page.keyboard.press("f")
            page.keyboard.press("3")
            page.keyboard.press("c")
            page.keyboard.type("washed <b>out</b>")
            page.keyboard.press("Escape")
        answer(page, keys[answers % 4])
        answers += 1
    desk.go("operate")

    page.wait_for_timeout(0)
    stored = votes_of(client, "bob")
    while len(stored) < VOTES:
        stored = votes_of(client, "bob")
    said = client.reviews(REF)
    sums = (said.votes_for_candidate + said.votes_for_baseline, said.votes_tied)
    assert answers > VOTES
    assert len(stored) == VOTES
    assert sum(sums) + said.votes_both_bad == VOTES
    assert said.votes_tied >= 3
    assert said.votes_both_bad >= 3
    assert [act.reason for act in stored if act.reason] == ["washed <b>out</b>"]
    assert Counter({name: sum(of) for name, of in said.labels.items()}) == {
        "prompt_drift": 1,
        "artifact": 1,
    }


def test_answer_is_taken_back(desk: Visit, judged: tuple[Client, str]) -> None:
    """With its labels and note; nothing was stored, and nothing of the sides was told."""
    client, _ = judged
    page = begin(desk, "eve")
    first = page.text_content("#pair-prompt")
    page.keyboard.press("2")
    answer(page, "ArrowLeft")
    second = page.text_content("#pair-prompt"), page.text_content(".review-head .muted")
    answer(page, "u")

    assert page.text_content("#pair-prompt") == first
    assert page.get_attribute(".label:nth-of-type(2)", "aria-pressed") == "true"
    assert votes_of(client, "eve") == []
    answer(page, "ArrowRight")
    assert (page.text_content("#pair-prompt"), page.text_content(".review-head .muted")) == second


def test_flicker_is_never_blank(desk: Visit) -> None:
    """Both pictures are there; one is shown, at the very place of the other."""
    page = begin(desk, "flo")
    look = """() => [...document.querySelectorAll('.picture-frame img')].map((one) => ({
      ready: one.complete && one.naturalWidth > 0,
      isShown: getComputedStyle(one).visibility === 'visible',
      box: JSON.stringify(one.getBoundingClientRect()),
    }))"""
    first = page.evaluate(look)
    page.keyboard.press("f")
    second = page.evaluate(look)

    assert [one["isShown"] for one in first] == [True, False]
    assert [one["isShown"] for one in second] == [False, True]
    assert all(one["ready"] for one in first + second)
    assert len({one["box"] for one in first + second}) == 1
    expect(page.locator(".side-tag")).to_have_text("B")


@pytest.mark.parametrize("dots", [1, 1.5, 2])
def test_pixels_are_true(browser: Browser, judged: tuple[Client, str], dots: float) -> None:
    """One of the picture is one of the screen, or a whole number of them, in every cell."""
    context = browser.new_context(device_scale_factor=dots)
    context.set_default_timeout(PATIENCE_MS)
    visit = Visit(page=context.new_page(), url=judged[1])
    visit.go(SHEET)
    page = visit.page
    # Looked at and taken in one go: another picture may come, and is complete before it is placed.
    # A string that is no function would be evaluated by the page, whose policy forbids that.
    settled = """(before) => {
      const all = [...document.querySelectorAll('.sheet-cell img')]
        .filter((one) => one.complete && one.naturalWidth && one.style.width)
        .map((one) => one.getBoundingClientRect().width * devicePixelRatio / one.naturalWidth);
      const isLike = (one) => Math.abs(one - all[0]) < 0.01;
      const isSettled = all.length && all[0] !== before && all.every(isLike);
      return isSettled ? all : null;
    }"""
    fitting = page.wait_for_function(settled, arg=0).json_value()
    page.keyboard.press("p")
    true = page.wait_for_function(settled, arg=fitting[0]).json_value()
    page.keyboard.press("+")
    closer = page.wait_for_function(settled, arg=true[0]).json_value()
    context.close()

    assert all(abs(one - round(one)) < 0.01 for one in fitting + closer)
    assert all(abs(one - 1) < 0.01 for one in true)
    assert len({round(one) for one in closer}) == 1
    assert closer[0] > fitting[0]


def test_worst_prompts_come_first(desk: Visit, judged: tuple[Client, str]) -> None:
    """Rows are prompts, columns are seeds; words of the grid are words."""
    desk.go(SHEET)
    page = desk.page
    report = judged[0].evidence_document(REF, kind="report").document
    means = sorted(one["mean"] for one in report["prompts"])
    shown_first = page.text_content("tbody tr:first-child th .sheet-prompt")
    scored = {one["prompt"]: one["mean"] for one in report["prompts"]}

    assert page.locator("thead th").all_text_contents() == ["Prompt", "Seed 11", "Seed 23"]
    assert page.locator("tbody tr").count() == 12
    if means:
        assert scored[shown_first] == means[0]
    assert page.locator("main b").count() == 0


def test_looks_are_one_key_away(desk: Visit) -> None:
    """References, and the training picture that is nearest."""
    page = begin(desk, "lea")
    page.keyboard.press("e")
    expect(page.locator(".looks-list img")).to_have_count(4)
    page.keyboard.press("n")
    expect(page.locator(".nearest p")).to_contain_text("Of 4, by 16")


def test_release_is_rejected_by_keys(desk: Visit, judged: tuple[Client, str]) -> None:
    """With a note, of the report that is shown."""
    client, _ = judged
    desk.go(SHEET)
    page = desk.page
    page.keyboard.press("x")
    page.wait_for_selector("#review-note:focus")
    page.keyboard.type("<script>hit()</script> too pale")
    page.fill("#actor", "ann")
    page.press("#actor", "Enter")

    expect(page.locator(".sheet-said .reviews")).to_contain_text("too pale")
    (said,) = client.reviews(REF).reviews
    assert (said.reviewer, said.decision, said.is_current) == ("ann", "reject", True)
    assert said.note == "<script>hit()</script> too pale"


def test_release_is_taken_back_from_the_report(desk: Visit, judged: tuple[Client, str]) -> None:
    """Two keys and a reason."""
    client, _ = judged
    desk.go(SHEET)
    page = desk.page
    page.keyboard.press("r")
    page.wait_for_selector("#reason:focus")
    page.keyboard.type("too pale")
    page.fill("#actor", "ann")
    page.press("#actor", "Enter")

    expect(page.locator(".sheet-head .chip")).to_have_count(1)
    assert client.resolve(LINE).version == BEFORE
    client.promote(REF, reason="as it was")


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["desk", "phone"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_review_is_for_everybody(
    browser: Browser, judged: tuple[Client, str], theme: Any, size: tuple[int, int]
) -> None:
    """WCAG AA in every view, and nothing wider than the window."""
    with visiting(browser, judged[1], theme=theme, size=size) as visit:
        page = begin(visit, f"{theme} {size[0]}")
        for view in ("flicker", "side", "slider", "heat"):
            page.wait_for_selector(f".pair[data-view={view}]")
            visit.shoot(f"review-{view}-{theme}-{size[0]}")
            assert (visit.violations(), visit.overflow()) == ([], 0), view
            page.keyboard.press("v")
        visit.go(SHEET)
        visit.shoot(f"sheet-{theme}-{size[0]}")
        assert (visit.violations(), visit.overflow()) == ([], 0)
        page.keyboard.press("Enter")
        page.wait_for_selector("dialog .picture-frame")
        assert visit.violations() == []
        assert visit.complaints == []


def test_review_is_filed_and_given_back(desk: Visit, judged: tuple[Client, str]) -> None:
    """By keys, into the evidence; the file that comes back has every picture, and needs nobody."""
    client, _ = judged
    desk.go(SHEET)
    page = desk.page
    page.wait_for_selector(".sheet-cell img")
    page.keyboard.press("s")
    page.wait_for_selector("dialog #actor")
    desk.shoot("file-dialog")
    assert desk.violations() == []
    page.fill("dialog #actor", "ann")
    page.keyboard.press("Enter")
    page.wait_for_selector(".filed a")
    desk.shoot("sheet-filed")
    with page.expect_download() as waiting:
        page.click(".filed a")
    kept = Path(waiting.value.path()).read_text(encoding="utf-8")

    (note,) = client.evidence(REF, kind="review")
    assert note.actor == "ann"
    assert waiting.value.suggested_filename == "review-acme-quietwash-4.7.1.html"
    report = client.evidence_document(REF)
    drawn = len(report.document["candidates"]) + len(report.document["baseline"])
    assert kept.count('src="data:image/png;base64,') == kept.count(" src=") == drawn
    assert "<script" not in kept
    page.keyboard.press("s")
    page.wait_for_selector("dialog #actor")
    page.keyboard.press("Enter")
    expect(page.locator("#toasts")).to_contain_text("filed before")
    assert len(client.evidence(REF, kind="review")) == 1
    # The card of the version lists it among its documents, as a file to have.
    desk.go(f"styles/{LINE}")
    page.wait_for_selector(f"a[href*='evidence={note.digest.replace(':', '%3A')}']")


@pytest.mark.parametrize("width", [1280, 1100, 390])
def test_scores_are_told_whole(browser: Browser, judged: tuple[Client, str], width: int) -> None:
    """The table beside the chart has room for its verdict; a count says of how many."""
    with visiting(browser, judged[1], size=(width, 860)) as visit:
        visit.go(f"styles/{LINE}")
        visit.page.select_option("#score", "broken")
        table = visit.page.locator(".scores .table-scroll")
        visit.shoot(f"scores-{width}")

        assert table.evaluate("one => one.scrollWidth - one.clientWidth") <= 0
        expect(table.locator("thead")).to_contain_text("Verdict")
        expect(table.locator("tbody td").first).to_have_text(re.compile(r"^\d+ of 24$"))
