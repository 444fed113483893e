# SPDX-License-Identifier: Apache-2.0
"""The page's files: kept by browsers for good, and what they may do is written above them."""

import re
from pathlib import PurePosixPath

import httpx
import pytest

from tabard_web.page.assets import MEDIA_TYPES, PAGE_POLICY
from tests.root import ROOT

FILES = ROOT / "clients/web/tabard_web/page/files"
FORBIDDEN = ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function(")
FIRST_SCREEN_BYTES_MAX = 200_000


def base_of(web: httpx.Client) -> str:
    found = re.search(r'src="(/page/[0-9a-f]{16})/theme\.js"', web.get("/").text)
    assert found
    return found[1]


def test_page_is_asked_for_anew(web: httpx.Client) -> None:
    """It costs nothing as long as it is the same."""
    page = web.get("/")
    again = web.get("/", headers={"If-None-Match": page.headers["etag"]})

    assert page.headers["cache-control"] == "no-cache"
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["content-security-policy"] == PAGE_POLICY


def test_files_are_kept_for_good(web: httpx.Client) -> None:
    """Each is of its kind, and named after what all of them hold."""
    base = base_of(web)
    names = [one.relative_to(FILES).as_posix() for one in FILES.rglob("*.*")]

    for name in set(names) - {"index.html"}:
        answer = web.get(f"{base}/{name}")
        assert answer.status_code == 200, name
        assert answer.content == (FILES / name).read_bytes()
        assert answer.headers["content-type"] == MEDIA_TYPES[PurePosixPath(name).suffix]
        assert "immutable" in answer.headers["cache-control"]


@pytest.mark.parametrize(
    "path",
    [
        "../index.html",
        "..%2f..%2fapp.py",
        "%2e%2e/%2e%2e/assets.py",
        "lib/../../assets.py",
        "index.html",
        "lib",
        "lib/",
        "LIB/DOM.JS",
        "lib\\dom.js",
        "lib/dom.js%00.css",
        "/etc/passwd",
    ],
)
def test_no_other_path_is_a_file(web: httpx.Client, path: str) -> None:
    """Only what lies there, by exactly its name."""
    answer = web.get(f"{base_of(web)}/{path}")

    assert answer.status_code == 404


def test_files_of_another_version_are_not_there(web: httpx.Client) -> None:
    """A page that is older than its gateway learns that."""
    answer = web.get("/page/0123456789abcdef/shell.js")

    assert answer.status_code == 404
    assert "load the page again" in answer.json()["error"]["hint"]


def test_policy_lets_nothing_in() -> None:
    """No script, no style and no picture of anybody else; no text becomes markup."""
    assert "unsafe" not in PAGE_POLICY
    assert "http" not in PAGE_POLICY
    for word in ("default-src 'none'", "frame-ancestors 'none'", "require-trusted-types-for"):
        assert word in PAGE_POLICY


def test_no_file_makes_markup_of_texts() -> None:
    """There is one way to put words on the page, and it makes text nodes."""
    for file in FILES.rglob("*.js"):
        text = file.read_text(encoding="utf-8")
        assert not [word for word in FORBIDDEN if word in text], file.name
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text), file.name


def test_first_screen_is_small() -> None:
    """All that it loads before anybody has clicked, without compression, beside pictures."""
    first = [
        "index.html",
        "theme.js",
        "logo.svg",
        "base.css",
        "parts.css",
        "shell.js",
        "screens.js",
    ]
    folders = [*(FILES / "lib").iterdir(), *(FILES / "frame").iterdir()]
    read = [*(FILES / name for name in first), *folders, *(FILES / "screens").glob("gallery.*")]

    assert sum(file.stat().st_size for file in read) < FIRST_SCREEN_BYTES_MAX / 2
