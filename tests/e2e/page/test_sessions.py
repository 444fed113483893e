# SPDX-License-Identifier: Apache-2.0
"""A server that asks who one is: somebody signs in once, and is told when that ends."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tabard import Client
from tests.e2e.conftest import run_server
from tests.e2e.page.browser import PATIENCE_MS, Visit, visiting
from tests.e2e.web.conftest import run_gateway
from tests.e2e.web.tokens import first_token, is_known
from tests.web.running import until

pytestmark = pytest.mark.page


@pytest.fixture(scope="module")
def place(
    tiny_base: Path, tiny_files: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Client]]:
    """A gateway to a server with a private style, and a client of its admin."""
    folder = tmp_path_factory.mktemp("asking-server")
    settings = {"identity_tokens": "true", "poll_seconds": "0.05"}
    with (
        run_server(folder, base=tiny_base, is_forked=True, **settings) as server,
        run_gateway(server.address) as url,
        Client(server.address, token=first_token(server.registry)) as admin,
    ):
        until(lambda: is_known(admin))
        for number in range(2):
            file = tiny_files[f"style{number}"]
            admin.publish("acme/ink", file, version=f"1.{number}.0", title="Quiet ink")
            admin.promote(f"acme/ink@1.{number}.0")
        admin.set_policy("acme", private=True, reason="ours")
        yield url, admin


@pytest.fixture
def visit(browser: Browser, place: tuple[str, Client]) -> Iterator[Visit]:
    with visiting(browser, place[0]) as one:
        yield one


def sign_in(visit: Visit, token: str) -> None:
    visit.page.goto(f"{visit.url}/")
    visit.page.fill("#token", token)
    visit.page.keyboard.press("Enter")


def test_token_opens_the_page_once(visit: Visit, place: tuple[str, Client]) -> None:
    """It is nowhere in the browser afterwards; loading the page again asks for nothing."""
    made = place[1].create_token("ann", grants={"acme": ("generate", "promote")}, reason="x")
    sign_in(visit, made.secret)
    page = visit.page
    page.wait_for_selector(".card")
    shown = visit.violations()
    page.reload()
    page.wait_for_selector(".card")
    kept: str = page.evaluate(
        "JSON.stringify([localStorage, sessionStorage, document.cookie, document.body.innerText])"
    )
    [cookie] = page.context.cookies()

    assert "ann" in (page.text_content(".who") or "")
    assert made.secret not in kept + str(cookie)
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    assert shown == []


def test_act_is_the_visitors(visit: Visit, place: tuple[str, Client]) -> None:
    """The page asks for no name: the history says who it was, and how that is known."""
    made = place[1].create_token("bea", grants={"acme": ("generate", "promote")}, reason="x")
    sign_in(visit, made.secret)
    visit.page.wait_for_selector(".card")
    visit.go("styles/acme/ink")

    visit.page.keyboard.press("r")
    visit.page.fill("#reason", "worse")
    has_name = visit.page.locator("#actor").count()
    visit.page.keyboard.press("Enter")
    expect(visit.page.locator(".channel-name strong")).to_have_text("1.0.0", timeout=PATIENCE_MS)

    [act] = place[1].history("acme/ink")[-1].actions
    assert (act.actor, act.proof, act.reason, has_name) == ("bea", "token", "worse", 0)


def test_wrong_token_is_told(visit: Visit) -> None:
    """What is wrong with it, in the form; and it can be written again."""
    visit.page.goto(f"{visit.url}/")
    visit.page.wait_for_selector("#token")
    found = visit.violations()
    sign_in(visit, "no-token-of-it")
    expect(visit.page.locator(".form-error")).not_to_be_empty(timeout=PATIENCE_MS)

    assert visit.page.locator(".card").count() == 0
    assert found == []


def test_revoked_token_ends_the_visit(visit: Visit, place: tuple[str, Client]) -> None:
    """An open page learns it by itself, says why, and shows nothing more of what was private."""
    made = place[1].create_token("eve", grants={"acme": ("generate",)}, reason="x")
    sign_in(visit, made.secret)
    visit.page.wait_for_selector(".card")

    place[1].revoke_token(made.token.id, reason="over")

    expect(visit.page.locator(".sign-in .notice")).to_contain_text("revoked", timeout=PATIENCE_MS)
    assert visit.page.locator(".card").count() == 0
    visit.shoot("revoked")
