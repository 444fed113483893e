# SPDX-License-Identifier: Apache-2.0
"""The site as `make site` built it: complete, readable on a phone, and asking nobody but itself."""

import functools
import http.server
import re
import threading
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.e2e.page.browser import NARROW, WIDE, Visit, launched, visiting
from tests.root import ROOT
from tests.tidy.tree import tree

HTML = ROOT / "build/site/html"
_FETCHED = {
    ("link", "href"),
    *((tag, "src") for tag in ("audio", "embed", "iframe", "img", "input", "script", "source")),
    *((tag, "src") for tag in ("track", "video")),
    *((("object", "data"), ("video", "poster"), ("img", "srcset"), ("source", "srcset"))),
}
"""What of a page a browser fetches by itself, as element and attribute."""
_OF_REFERENCES = [
    "docs/api/grpc/generation_service.html",
    "docs/api/grpc/error_reason.html",
    "docs/api/tabard/client.html",
    "docs/api/tabard_registry/registry.html",
]

pytestmark = pytest.mark.site


class Fetching(HTMLParser):
    """Collects what a browser would fetch for a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [said or "" for name, said in attrs if (tag, name) in _FETCHED]
        self.found += [one for name, said in attrs if name == "style" for one in in_css(said or "")]


def in_css(text: str) -> list[str]:
    """Return what a style sheet fetches."""
    return re.findall(r"(?:url\(|@import\s+)['\"]?([^'\")\s;]+)", text)


def elsewhere(places: list[str]) -> list[str]:
    """Return the places that are on another server."""
    return [one for one in places if re.match(r"(?:[a-z][a-z+.-]*:)?//", one, re.IGNORECASE)]


@pytest.fixture(scope="module")
def html() -> list[Path]:
    """Every page; the site was built, or this fails."""
    found = sorted(HTML.rglob("*.html"))
    assert found, "there is no site: say make site"
    return found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with launched() as running:
        yield running


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The site on a plain web server."""

    class Silent(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_args: object) -> None:
            pass

    handler = functools.partial(Silent, directory=str(HTML))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_every_document_is_a_page(html: list[Path]) -> None:
    """Whatever the repository says in Markdown can be read on the site."""
    there = {str(path.relative_to(HTML)) for path in html}
    documents = [str(path) for path in tree() if path.suffix == ".md"]
    wanted = {
        re.sub(r"(?:^|(?<=/))README\.md$", "index.md", name)[: -len("md")] + "html"
        for name in documents
    }

    assert len(documents) > 50
    assert wanted - there == set()


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("docs/api/grpc/generation_service.html", ["What to draw; may be empty.", "clip_skip"]),
        ("docs/api/grpc/error_reason.html", ["ERROR_REASON_UNSPECIFIED", "ADAPTER_NOT_FOUND"]),
        ("docs/api/tabard/client.html", ["tabard.Client.generate", "tabard.Client.rollback"]),
        ("docs/api/tabard/asyncclient.html", ["tabard.AsyncClient.generate"]),
        ("docs/api/tabard_registry/registry.html", ["tabard_registry.Registry.roll_back"]),
        ("docs/errors.html", ["ADAPTER_NOT_FOUND"]),
        ("docs/settings.html", ["TABARD_LISTEN"]),
        ("docs/metrics.html", ["tabard_state"]),
    ],
)
def test_reference_says_what_there_is(page: str, words: list[str]) -> None:
    """Calls with their comments, methods by name, and the pages that the code writes."""
    text = (HTML / page).read_text(encoding="utf-8")

    assert [word for word in words if word not in text] == []


def test_no_page_fetches_from_elsewhere(html: list[Path]) -> None:
    """No fonts, scripts, styles or pictures of others, in pages and style sheets alike."""
    for page in html:
        reading = Fetching()
        text = page.read_text(encoding="utf-8")
        reading.feed(text)
        sheets = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
        places = [*reading.found, *(one for sheet in sheets for one in in_css(sheet))]
        assert reading.found, page
        assert elsewhere(places) == [], page
        assert "default-src 'self'" in text, page
    for sheet in HTML.rglob("*.css"):
        assert elsewhere(in_css(sheet.read_text(encoding="utf-8"))) == [], sheet


def test_fetching_is_noticed() -> None:
    """The check before this one sees a font, a script and a picture of others."""
    reading = Fetching()
    reading.feed(
        '<link href="https://fonts.example/f.css"><script src="//cdn.example/x.js"></script>'
        '<p style="background: url(https://example.org/p.png)"><img src="p.png">'
    )

    assert len(elsewhere(reading.found)) == 3
    assert elsewhere(in_css("@import 'https://example.org/a.css'; a{b: url(a.svg)}")) == [
        "https://example.org/a.css"
    ]


def test_pages_fit_on_phone(browser: Browser, url: str, html: list[Path]) -> None:
    """Every guide, and a page of each reference: all is allowed, and the window is wide enough."""
    names = [str(page.relative_to(HTML)) for page in html]
    guides = [name for name in names if not re.search(r"/api/|/decisions/0", name)]
    _look(browser, url, [*guides, *_OF_REFERENCES], size=NARROW)


def test_pages_fit_on_desk(browser: Browser, url: str) -> None:
    """A page of each kind."""
    kinds = ["index.html", "docs/operating.html", "docs/errors.html", "docs/decisions/index.html"]
    _look(browser, url, [*kinds, *_OF_REFERENCES], size=WIDE)


def test_search_finds_a_setting(browser: Browser, url: str) -> None:
    """Search runs in the reader's browser, with what the site itself has."""
    with visiting(browser, url) as visit:
        visit.page.goto(f"{url}/index.html")
        visit.page.fill("input[name=query]", "staleness_seconds_max")
        visit.page.wait_for_selector(".md-search-result__item")
        found = visit.page.locator(".md-search-result__link").first.get_attribute("href")
        assert found is not None
        assert "docs/" in found
        assert _strangers(visit) == []


def _look(browser: Browser, url: str, names: list[str], *, size: tuple[int, int]) -> None:
    with visiting(browser, url, size=size) as visit:
        for name in names:
            visit.page.goto(f"{url}/{name}")
            assert visit.overflow() <= 0, name
            assert visit.complaints == [], name
            visit.shoot(f"site-{size[0]}-{name.replace('/', '-')}")
        assert _strangers(visit) == []


def _strangers(visit: Visit) -> list[str]:
    own = (f"{visit.url}/", "data:", "blob:")
    return [one for one in visit.asked if not one.startswith(own)]
