# SPDX-License-Identifier: Apache-2.0
"""All that a browser receives before a vote, read whole: nothing in it says who drew which."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, Route

from tabard import Client
from tabard_server.output.provenance import encode_preview
from tests.e2e.conftest import run_server
from tests.e2e.page.browser import Visit, visiting
from tests.e2e.page.judged import BEFORE, LINE, REF, judge
from tests.e2e.web.conftest import run_gateway
from tests.e2e.web.tokens import first_token, is_known
from tests.web.running import until

pytestmark = pytest.mark.page
VARYING = {"date", "content-length"}
"""What differs from picture to picture whoever drew it: when, and how well its pixels pack."""


@dataclass(kw_only=True)
class Received:
    """Everything that came, but for the page's own files, which are the same for everybody.

    Attributes:
        address: What was asked for.
        headers: With what headers it came.
        body: What came.
    """

    address: str
    headers: dict[str, str]
    body: bytes


@dataclass(kw_only=True)
class Ears:
    """Stands between a page and its gateway, and keeps a copy of every answer."""

    heard: list[Received] = field(default_factory=list)

    def hear(self, page: Page) -> None:
        """Listen from now on; a stream without an end is told by the page itself."""
        page.route("**/*", self._pass_on)

    def stop(self, page: Page) -> None:
        """Listen no more, once what is on its way has come."""
        page.unroute_all(behavior="wait")

    def _pass_on(self, route: Route) -> None:
        address = route.request.url
        if "/page/" in address or address.endswith("/api/events"):
            route.continue_()
            return
        answer = route.fetch()
        self.heard.append(Received(address=address, headers=answer.headers, body=answer.body()))
        route.fulfill(response=answer)


@dataclass(frozen=True, kw_only=True)
class Court:
    """A server that asks who one is, with a report and a reviewer who has not seen it."""

    url: str
    author: Client
    voter: Client
    secret: str


@pytest.fixture(scope="module")
def court(
    tiny_base: Path, tiny_files: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Court]:
    folder = tmp_path_factory.mktemp("court")
    with run_server(
        folder, base=tiny_base, is_forked=True, identity_tokens="true", poll_seconds="0.05"
    ) as server:
        secret = first_token(server.registry)
        with Client(server.address, token=secret) as author:
            until(lambda: is_known(author))
            judge(author, files=[tiny_files["style0"], tiny_files["style3"]], folder=folder)
            grants = {"acme": ("generate", "review")}
            token = author.create_token("bob", grants=grants, reason="votes").secret
            with (
                Client(server.address, token=token) as voter,
                run_gateway(server.address) as url,
            ):
                until(lambda: is_known(voter))
                yield Court(url=url, author=author, voter=voter, secret=token)


def secrets_of(author: Client) -> set[str]:
    """All that names one of the two releases, their pictures, their report, or a score of it."""
    line = author.get(LINE)
    found = author.evidence_document(REF, kind="report")
    report: dict[str, Any] = found.document
    digests = [one.digest for one in line.releases] + [found.note.digest, report["grid"]]
    digests += [one["image"] for side in ("candidates", "baseline") for one in report[side]]
    scores = [one["value"] for one in report["scores"] if "value" in one]
    scores += [one["mean"] for one in report["prompts"]]
    return {
        *(digest.removeprefix("sha256:")[:12] for digest in digests),
        *(str(round(score, 4)) for score in scores if len(str(round(score, 4))) > 5),
        *(LINE, LINE.partition("/")[2], "4.7.1", BEFORE, "candidate", "baseline"),
        *("verdict", report["verdict"]),
    }


def sign_in(visit: Visit, court: Court) -> None:
    visit.page.goto(court.url)
    visit.page.fill("#token", court.secret)
    visit.page.keyboard.press("Enter")
    visit.page.wait_for_selector(".who-name")


def told_by_events(visit: Visit) -> str:
    """What the stream of events has told the page since it began to note it."""
    return str(visit.page.evaluate("JSON.stringify(window.heard ?? [])"))


def chunks(png: bytes) -> list[tuple[str, bytes]]:
    """The chunks of a PNG; of those that hold pixels only the name."""
    found, at = [], 8
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        name = png[at + 4 : at + 8].decode()
        content = png[at + 8 : at + 8 + length]
        found.append((name, b"" if name == "IDAT" else content))
        at += 12 + length
    return found


LISTEN = """
window.heard = [];
const ask = window.fetch;
window.fetch = async (address, ...more) => {
  const answer = await ask(address, ...more);
  if (String(address).endsWith('/api/events')) {
    const reader = answer.clone().body.pipeThrough(new TextDecoderStream()).getReader();
    (async () => {
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return;
        window.heard.push(value);
      }
    })().catch(() => {});
  }
  return answer;
};
"""


def test_browser_receives_nothing_that_tells(browser: Browser, court: Court) -> None:
    """Addresses of pictures, headers, JSON, events and chunks, over four answers and a key each."""
    secrets = secrets_of(court.author)
    with visiting(browser, court.url) as visit:
        ears = Ears()
        visit.page.add_init_script(LISTEN)
        sign_in(visit, court)
        # The gallery, which names every style, is left before anything is noted.
        visit.page.goto("about:blank")
        ears.hear(visit.page)
        visit.page.goto(f"{court.url}/#/review/{LINE}/4.7.1")
        for turn, key in enumerate(("ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"), start=1):
            visit.page.wait_for_selector(f"tabard-review[data-turn='{turn}']")
            for one in "vvvvefn":
                visit.page.keyboard.press(one)
            visit.page.wait_for_selector(".nearest img")
            visit.page.keyboard.press("n")
            visit.page.keyboard.press(key)
        visit.page.wait_for_selector("tabard-review[data-turn='5']")
        heard = ears.heard
        shown = visit.page.title() + visit.page.inner_text("body")
        events = told_by_events(visit)
        ears.stop(visit.page)

    pictures = [one for one in heard if "/pairs/picture" in one.address]
    asked = {urlsplit(one.address).path for one in heard}
    assert {"/api/pairs/next", "/api/pairs/picture", "/api/pairs/vote"} <= asked
    assert {"/api/looks", "/api/looks/picture", "/api/session"} <= asked
    assert "here" in events
    for one in heard:
        said = json.dumps(one.headers) + one.body.decode("latin-1")
        assert not {secret for secret in secrets if secret in said}, one.address
    assert not {one for one in secrets if one in events}
    assert not {one for one in secrets if one in shown}
    # An address that the page asks for has the ref that the visitor opened, and handles.
    for one in heard:
        query = {name for name in parse_qs(urlsplit(one.address).query) if name != "ref"}
        assert query <= {"actor", "held", "pair", "side", "kind", "place", "pixels"}
    assert len(pictures) >= 10
    assert_alike(pictures)
    assert court.voter.next_pair(REF) is not None


def assert_alike(pictures: list[Received]) -> None:
    """All of them, of either side: one set of headers, one list of chunks that say the same."""
    headers = [
        {name: value for name, value in one.headers.items() if name not in VARYING}
        for one in pictures
    ]
    parts = [[part for part in chunks(one.body) if part[0] != "IDAT"] for one in pictures]
    assert all(one == headers[0] for one in headers)
    assert all(one == parts[0] for one in parts)
    assert {name for name, _ in parts[0]} <= {"IHDR", "iTXt", "IEND"}
    assert not {"etag", "last-modified", "content-disposition"} & headers[0].keys()
    # A size says how well the pixels pack, and nothing else: who has the pixels has the file.
    for one in pictures:
        with Image.open(io.BytesIO(one.body)) as picture:
            shown = np.asarray(picture.convert("RGB"))
        assert one.body == encode_preview(shown, is_composite=False)
        assert one.headers["content-length"] == str(len(one.body))


def test_looking_around_ends_no_blindness(browser: Browser, court: Court) -> None:
    """The gallery and the style show a voter nothing of the report, until they ask for it."""
    with visiting(browser, court.url) as visit:
        sign_in(visit, court)
        ears = Ears()
        ears.hear(visit.page)
        visit.go("")
        visit.go(f"styles/{LINE}")
        visit.page.wait_for_selector("a.primary[href*='#/review/']")
        images = [one["image"] for one in report_of(court)["candidates"]]
        bodies = [one.body.decode("latin-1") for one in ears.heard]
        still_blind = court.voter.next_pair(REF) is not None
        # Asked for, it is shown; and that is the end of blind votes.
        visit.page.click("text=Show the report")
        visit.page.wait_for_selector(".report-head")
        ears.stop(visit.page)

    assert still_blind
    assert not [image for image in images if any(image in one for one in bodies)]
    with pytest.raises(Exception, match="was shown the report"):
        court.voter.next_pair(REF)


def report_of(court: Court) -> dict[str, Any]:
    """The report."""
    return dict(court.author.evidence_document(REF, kind="report").document)
