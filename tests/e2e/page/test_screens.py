# SPDX-License-Identifier: Apache-2.0
"""Every screen, light and dark, on a desk and on a phone: for everybody, and within its window."""

import pytest
from playwright.sync_api import Browser, Page, expect

from tabard import Client
from tests.e2e.page.browser import NARROW, THEMES, WIDE, Theme, Visit, visiting

pytestmark = pytest.mark.page
SCREENS = {
    "gallery": "",
    "style": "styles/acme/ink",
    "hostile style": "styles/acme/hostile",
    "try": "try?refs=acme/ink",
    "operate": "operate",
    "nothing": "no/such/screen",
}
FIRST_SCREEN_BYTES_MAX = 200_000


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["desk", "phone"])
@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("name", SCREENS)
def test_screen_is_for_everybody(
    browser: Browser, url: str, name: str, theme: Theme, size: tuple[int, int]
) -> None:
    """WCAG AA by axe, nothing wider than the window, and nothing that the browser complains of."""
    with visiting(browser, url, theme=theme, size=size) as visit:
        visit.go(SCREENS[name])
        visit.page.wait_for_load_state("load")
        visit.shoot(f"{name}-{theme}-{size[0]}")

        assert visit.violations() == []
        assert visit.overflow() == 0
        assert visit.complaints == []


def test_first_screen_is_small(browser: Browser, url: str) -> None:
    """All that comes before anybody has clicked, but for the pictures; from the gateway alone."""
    sizes: dict[str, int] = {}
    with visiting(browser, url) as visit:
        visit.page.on(
            "response",
            lambda answer: (
                sizes.update({answer.url: int(answer.headers["content-length"])})
                if "content-length" in answer.headers and "/api/cover" not in answer.url
                else None
            ),
        )
        visit.go("")
        asked = list(visit.asked)

    assert 0 < sum(sizes.values()) < FIRST_SCREEN_BYTES_MAX
    assert len(sizes) > 10
    assert [one for one in asked if not one.startswith(f"{url}/")] == []


def test_dialogs_are_for_everybody(visit: Visit) -> None:
    """The help, and a rollback."""
    visit.go("styles/acme/ink")

    visit.page.keyboard.press("?")
    visit.page.wait_for_selector("dialog.help")
    found = visit.violations()
    visit.shoot("help")
    visit.page.keyboard.press("Escape")
    visit.page.keyboard.press("r")
    visit.page.wait_for_selector("#reason")
    found += visit.violations()
    visit.shoot("rollback")

    assert found == []


def test_theme_is_turned_and_kept(visit: Visit) -> None:
    """Against what the system says, and back."""
    page = visit.page
    visit.go("")
    light = ground(page)

    page.keyboard.press("t")
    page.keyboard.press("t")
    dark = ground(page)
    page.reload()
    page.wait_for_selector("main h1")
    kept = ground(page)
    page.keyboard.press("t")

    assert dark != light
    assert (kept, ground(page)) == (dark, light)


def test_keys_lead_everywhere(visit: Visit) -> None:
    """Without a mouse: search, a card, its screen, the others; and they can be switched off."""
    page = visit.page
    visit.go("")

    page.keyboard.press("/")
    page.keyboard.type("quiet")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    page.wait_for_selector("tabard-style h1")
    page.keyboard.press("g")
    page.keyboard.press("o")
    page.wait_for_selector("tabard-operate h1")
    page.keyboard.press("?")
    page.locator("dialog label.switch input").press("Space")
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.keyboard.press("g")

    assert page.url.endswith("#/operate")


def test_drawing_anew_leaves_the_keys_where_they_are(visit: Visit, client: Client) -> None:
    """A screen that is asked for every other second is still read by the keyboard."""
    client.generate("a cat", adapters="acme/ink", num_inference_steps=2)
    visit.go("operate")
    link = visit.page.locator("table a").first
    link.focus()
    before = visit.page.evaluate("document.activeElement.href")
    link.evaluate("(one) => { window.old = one; }")
    expect(visit.page.locator(".tile").first).to_be_visible()

    visit.page.wait_for_function("() => !window.old.isConnected")

    assert visit.page.evaluate("document.activeElement.href") == before


def ground(page: Page) -> str:
    found: str = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    return found
