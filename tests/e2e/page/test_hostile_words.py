# SPDX-License-Identifier: Apache-2.0
"""Words that would rather be markup are words, in whatever field they stand, on every screen."""

import io
import json
from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin

from tabard import Client
from tests.e2e.conftest import RunningServer
from tests.e2e.page.browser import Visit
from tests.e2e.page.hostile import LINE, MARK, planted

pytestmark = pytest.mark.page


def hits(visit: Visit) -> list[str]:
    """Say what of the planted words became more than words."""
    found: list[str] = visit.page.evaluate(
        """() => [
          ...document.documentElement.dataset.hit ? ['ran'] : [],
          ...[...document.querySelectorAll(
            'body script, body img[src=x], body svg[onload], body b',
          )].map((one) => one.outerHTML),
        ]"""
    )
    return found


def places(visit: Visit) -> set[str]:
    """Name the places whose words are shown."""
    text: str = visit.page.evaluate(
        "document.body.textContent + [...document.querySelectorAll('[title], [alt], [aria-label]')]"
        ".map((one) => [one.title, one.alt, one.ariaLabel].join(' ')).join(' ')"
    )
    words = text.split(MARK)[1:]
    return {one.split()[0] for one in words}


def test_gallery_shows_words(visit: Visit) -> None:
    """Titles, trigger words, and what a search finds in notes."""
    visit.go("")
    first = places(visit)
    visit.page.fill("#search", "planted notes")
    visit.page.wait_for_selector(".snippet")

    assert {"title", "trigger"} <= first
    assert hits(visit) == []


def test_style_shows_words(visit: Visit) -> None:
    """Everything that people wrote about it: all of it is there, and none of it runs."""
    visit.go(f"styles/{LINE}")
    page = visit.page
    page.wait_for_selector(".report")
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    page.wait_for_selector(".file-name")
    page.check("#all-acts")
    shown = places(visit)
    page.keyboard.press("r")
    page.wait_for_selector("#reason")

    wanted = {"actor", "title", "notes", "licence", "trigger", "word", "publish", "promote", "beta"}
    assert wanted | {"goal", "review", "prompt", "yank", "unyank", "edit"} <= shown
    # A registry gives files names of its own letters.
    assert "_img_src_x_onerror_hit" in (page.text_content("main") or "")
    assert hits(visit) == []


def test_operate_shows_words(visit: Visit, shown_server: RunningServer) -> None:
    """Who started a canary, and what lies in memory."""
    with Client(shown_server.address, actor=planted("canary")) as somebody:
        somebody.start_canary(f"{LINE}@1.0.0", shadow=True, reason=planted("canary"))
        visit.go("operate")
        visit.page.wait_for_selector(".canary")
        somebody.stop_canary(f"{LINE}@1.0.0", reason="it was seen")

    assert "canary" in places(visit)
    assert hits(visit) == []


def test_review_shows_words(visit: Visit) -> None:
    """The report as a grid with what people said of it, and the blind pairs of it."""
    visit.go(f"review/{LINE}/1.1.0/report")
    page = visit.page
    page.wait_for_selector(".sheet-said")
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    report = places(visit)
    found = hits(visit)
    visit.go(f"review/{LINE}/1.1.0")
    page.fill("#actor", planted("voter"))
    page.keyboard.press("Enter")
    page.wait_for_selector(".pair")

    assert {"prompt", "review"} <= report
    assert "prompt" in places(visit)
    assert found + hits(visit) == []


def test_dropped_picture_shows_words(visit: Visit, tmp_path: Path) -> None:
    """Whoever made it: names, values, and A1111's text."""
    picture = tmp_path / "picture.png"
    for number, texts in enumerate(
        (
            {
                "tabard": json.dumps(
                    {planted("name"): planted("value"), "prompt": planted("prompt")}
                )
            },
            {"parameters": planted("parameters")},
        )
    ):
        picture.write_bytes(with_texts(texts))
        visit.go(f"try?{number}")
        visit.page.set_input_files("#picture", picture)
        visit.page.wait_for_selector(".provenance")
        visit.page.evaluate(
            "document.querySelectorAll('details').forEach((one) => { one.open = true; })"
        )

        assert places(visit) >= ({"name", "value", "prompt"} if number == 0 else {"parameters"})
        assert hits(visit) == []


def test_prompt_and_refusal_are_words(visit: Visit) -> None:
    """What one writes oneself, and the server's word for it."""
    visit.go("try")
    visit.page.fill("#prompt", planted("mine"))
    visit.page.click("text=Add a style")
    visit.page.fill("[name=ref]", "<img src=x onerror=hit()>")
    visit.page.click("button[type=submit]")
    visit.page.wait_for_selector(".draw-form .form-error:not(:empty)")

    assert hits(visit) == []


def test_search_of_an_address_is_words(visit: Visit) -> None:
    """A link that somebody was sent."""
    visit.go(f"?q={planted('query').replace(' ', '%20')}")
    visit.page.wait_for_selector(".empty")

    assert hits(visit) == []


@pytest.mark.parametrize(
    "place", ["styles/acme/%3Cimg%20src=x%3E", "styles/%/x", "<script>", "styles/../.."]
)
def test_strange_addresses_are_told(visit: Visit, place: str) -> None:
    """No screen, or no style; and the page goes on."""
    visit.go(place)

    assert visit.page.locator(".failure").count() == 1
    assert hits(visit) == []


def with_texts(texts: dict[str, str]) -> bytes:
    sink, chunks = io.BytesIO(), PngImagePlugin.PngInfo()
    for name, text in texts.items():
        chunks.add_itxt(name, text)
    Image.new("RGB", (8, 8)).save(sink, format="PNG", pnginfo=chunks)
    return sink.getvalue()
