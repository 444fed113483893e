# SPDX-License-Identifier: Apache-2.0
"""What happens is seen while it happens: by who does it, and by everybody else who looks."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tabard import Client
from tests.e2e.conftest import RunningServer, run_server
from tests.e2e.page.browser import PATIENCE_MS, Visit, visiting
from tests.e2e.web.conftest import run_gateway, run_gateway_process
from tests.web.running import free_address

pytestmark = pytest.mark.page
STABLE = ".channel:first-child .channel-name strong"


def test_rollback_is_seen_by_another_page(browser: Browser, visit: Visit, client: Client) -> None:
    """Two keys and a reason here; there, without loading anything again."""
    with visiting(browser, visit.url) as other:
        for one in (visit, other):
            one.go("styles/acme/ink")
        before = other.page.text_content(STABLE)

        visit.page.keyboard.press("r")
        visit.page.wait_for_selector("#reason:focus")
        visit.page.keyboard.type("washes hide the subject")
        visit.page.fill("#actor", "ann")
        visit.page.keyboard.press("Enter")

        expect(other.page.locator(STABLE)).to_have_text("1.1.0", timeout=PATIENCE_MS)
        expect(visit.page.locator(STABLE)).to_have_text("1.1.0", timeout=PATIENCE_MS)
        expect(other.page.locator(".timeline")).to_contain_text("washes hide the subject")
        assert other.complaints == []

    record = client.history("acme/ink")[-1]
    assert before == "1.2.0"
    assert (record.actions[0].actor, record.actions[0].reason) == ("ann", "washes hide the subject")
    client.promote("acme/ink@1.2.0", reason="as it was")


def test_rollback_from_what_was_not_seen_is_refused(visit: Visit, client: Client) -> None:
    """Somebody was faster: what the dialog says is no longer so, and it says that."""
    visit.go("styles/acme/ink")
    visit.page.keyboard.press("r")
    visit.page.fill("#reason", "too late")
    visit.page.fill("#actor", "ann")
    client.promote("acme/ink@1.0.0", reason="faster")

    visit.page.click("dialog .danger")

    expect(visit.page.locator("dialog .form-error")).not_to_be_empty(timeout=PATIENCE_MS)
    assert client.resolve("acme/ink").version == "1.0.0"
    client.promote("acme/ink@1.2.0", reason="as it was")


def test_drawing_is_looked_on(visit: Visit, client: Client) -> None:
    """Progress and rough looks come before the picture, which is the one that the SDK gets."""
    page = visit.page
    visit.go("try?refs=acme/ink")
    page.evaluate(
        """() => { window.seen = []; new MutationObserver(() => {
          window.seen.push(document.querySelector('.stage-note').textContent);
          if (document.querySelector('.stage-image.rough')) window.seen.push('rough');
        }).observe(document.querySelector('.drawing'), {
          subtree: true, childList: true, attributes: true,
        }); }"""
    )
    page.fill("#prompt", "a cat")
    page.fill("#seed", "5")
    page.click("details.more summary")
    page.fill("#num_inference_steps", "12")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".stage-note")).to_contain_text("Done", timeout=PATIENCE_MS)
    with page.expect_download() as saving:
        page.click(".result a")
    drawn = saving.value.path().read_bytes()

    seen: list[str] = page.evaluate("window.seen")
    assert any(re.fullmatch(r"Step \d+ of 12", one) for one in seen)
    assert "rough" in seen
    assert (
        drawn
        == client.generate(
            "a cat", adapters="acme/ink", seed=5, num_inference_steps=12, auto_trigger=True
        )
        .images[0]
        .content
    )


def test_drawing_is_stopped(visit: Visit) -> None:
    """By a key; the server draws nothing more for nobody."""
    page = visit.page
    visit.go("try")
    page.fill("#prompt", "a cat")
    page.click("details.more summary")
    page.fill("#num_inference_steps", "150")
    page.fill("#num_images", "8")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".stage-note")).to_contain_text("Step", timeout=PATIENCE_MS)

    page.locator("h1").click()
    page.keyboard.press("Escape")

    expect(page.locator(".stage-note")).to_have_text("Stopped.", timeout=PATIENCE_MS)
    visit.go("operate")
    expect(page.locator(".tile", has_text="Drawing").locator(".tile-value")).to_have_text(
        "0", timeout=PATIENCE_MS
    )


def test_picture_is_made_again(visit: Visit, client: Client, tmp_path: Path) -> None:
    """Dropped, it says how it was made, fills the form, and comes out the same to the byte."""
    image = client.generate("a dog", adapters="acme/ink:0.5", seed=3, deterministic=True).images[0]
    file = image.save(tmp_path / "picture.png")
    page = visit.page
    visit.go("try")

    page.set_input_files("#picture", file)
    page.click("text=Use its settings")
    page.click("text=Draw it again")

    expect(page.locator(".outcome")).to_contain_text("same file", timeout=PATIENCE_MS)
    assert (page.input_value("#prompt"), page.input_value("#seed")) == ("a dog", "3")
    assert page.input_value("[name=weight]") == "0.5"


def test_page_outlives_its_server(browser: Browser, tiny_base: Path, tmp_path: Path) -> None:
    """It says that the server is away, keeps what it shows, and goes on once it is back."""
    address = free_address()
    with run_gateway(address) as url, visiting(browser, url) as visit:
        with run_server(tmp_path, base=tiny_base, is_forked=True, listen=address):
            visit.go("operate")
            visit.go("")
        expect(visit.page.locator(".banner")).to_be_visible(timeout=PATIENCE_MS)
        assert visit.page.locator("main h1").text_content() == "Gallery"
        with run_server(tmp_path, base=tiny_base, is_forked=True, listen=address):
            expect(visit.page.locator(".banner")).to_be_hidden(timeout=PATIENCE_MS)


def test_drawing_ends_with_its_gateway(browser: Browser, shown_server: RunningServer) -> None:
    """Whoever looks on is told, does not wait for ever, and can draw again once it is back."""
    place = free_address()
    with (
        run_gateway_process(shown_server.address, listen=place) as (url, process),
        visiting(browser, url) as visit,
    ):
        page = visit.page
        visit.go("try")
        page.fill("#prompt", "a cat")
        page.click("details.more summary")
        page.fill("#num_inference_steps", "150")
        page.fill("#num_images", "8")
        page.keyboard.press("Control+Enter")
        expect(page.locator(".stage-note")).to_contain_text("Step", timeout=PATIENCE_MS)

        process.kill()
        process.wait()

        expect(page.locator(".stage-note")).to_contain_text("went away", timeout=PATIENCE_MS)
        expect(page.locator(".form-error").first).to_contain_text("went away")
        expect(page.locator(".drawing[aria-busy]")).to_have_count(0)
        page.fill("#num_inference_steps", "2")
        page.fill("#num_images", "1")
        with run_gateway_process(shown_server.address, listen=place):
            page.click("button[type=submit]")
            expect(page.locator(".stage-note")).to_contain_text("Done", timeout=PATIENCE_MS)


def test_seed_of_zero_is_drawn_with(visit: Visit) -> None:
    """It is a number like any other, and not left to the server."""
    page = visit.page
    visit.go("try")
    page.fill("#prompt", "a cat")
    page.fill("#seed", "0")
    page.keyboard.press("Control+Enter")

    expect(page.locator(".result").first).to_contain_text("seed 0", timeout=PATIENCE_MS)
    expect(page.locator(".stage-note")).to_contain_text("Done", timeout=PATIENCE_MS)
