# SPDX-License-Identifier: Apache-2.0
"""`tabard publish`: files become a release, or the author reads what is wrong with them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tabard.cli.commands.publish.publish import kind_text
from tabard.convert import read_release
from tabard.v1.adapter_pb2 import Release
from tests.clients.cli.conftest import Tabard
from tests.clients.fakes.server import FakeServer


def test_publish_tells_next_step(tabard: Tabard, style_file: Path) -> None:
    """The author learns what was published and how to let others wear it."""
    ran = tabard("publish", "acme/a", style_file, "--version", "1.0.0", "--trigger", "wtr")

    assert ran.code == 0
    assert "published acme/a 1.0.0" in ran.out
    assert "next: tabard promote acme/a@1.0.0" in ran.out


@pytest.mark.parametrize(
    ("release", "words"),
    [
        ({"kind": "lora", "dialect": "kohya", "rank": 8}, "lora (kohya), rank 8"),
        ({"kind": "lora", "dialect": "kohya", "rank": 0}, "lora (kohya)"),
        ({"kind": "recipe", "dialect": "recipe", "rank": 0}, "recipe"),
    ],
)
def test_kind_says_nothing_twice(release: dict[str, Any], words: str) -> None:
    """Nor a rank of what has none."""
    assert kind_text(replace(read_release(Release()), **release)) == words


def test_publish_tells_as_what_it_is_judged(tabard: Tabard, style_file: Path) -> None:
    """By its purpose; where nobody says one, by its kind."""
    said = ("publish", "acme/sks", style_file, "--version")

    by_kind = tabard(*said, "1.0.0", "--kind", "dreambooth")
    by_purpose = tabard("publish", "acme/look", style_file, "--version", "1.0.0", "--kind",
                        "dreambooth", "--purpose", "style")  # fmt: skip

    assert ["judged", "as", "subject"] in [line.split() for line in by_kind.out.splitlines()]
    assert ["judged", "as", "style"] in [line.split() for line in by_purpose.out.splitlines()]
    shown = [tabard("show", f"acme/{name}@1.0.0").out.splitlines() for name in ("sks", "look")]
    assert ["judged", "as", "subject,", "by", "its", "kind"] in [one.split() for one in shown[0]]
    assert ["purpose", "style"] in [one.split() for one in shown[1]]


@pytest.mark.parametrize(
    ("said", "is_told"),
    [
        (("--purpose", "style"), True),
        (("--kind", "dreambooth"), True),
        (("--purpose", "style", "--trigger", "wtr"), False),
        (("--purpose", "concept"), False),
    ],
)
def test_missing_trigger_is_told(
    tabard: Tabard, style_file: Path, said: tuple[str, ...], is_told: bool
) -> None:
    """Before it is evaluated: nothing can be asked of prompts that do not name it."""
    ran = tabard("publish", "acme/a", style_file, "--version", "1.0.0", *said)

    words = " ".join(ran.out.split())
    assert ran.code == 0
    assert ("no trigger word: an evaluation cannot ask" in words) is is_told


def test_publish_again_is_told(tabard: Tabard, style_file: Path) -> None:
    """Publishing the same bytes twice succeeds and says so."""
    arguments = ("publish", "acme/a", style_file, "--version", "1.0.0")
    tabard(*arguments)

    ran = tabard(*arguments)

    assert (ran.code, "already published" in ran.out) == (0, True)


def test_publish_json_has_release(tabard: Tabard, server: FakeServer, style_file: Path) -> None:
    """Every option reaches the server, and the document holds the release."""
    options = ("--notes", "n", "--licence", "MIT", "--purpose", "style", "--kind", "dreambooth")
    options += ("--title", "\u6c34\u5f69")

    ran = tabard("publish", "acme/a", style_file, "--version", "1.0.0", *options, "--json")

    release = ran.document["release"]
    assert ran.document["created"]
    assert (release["notes"], release["licence"], release["kind"]) == ("n", "MIT", "dreambooth")
    assert release["title"] == "\u6c34\u5f69"
    assert (release["purpose"], release["published_by"]) == ("style", "alice")
    assert ran.err == ""


def test_refused_publish_exits_four(tabard: Tabard, refused_file: Path) -> None:
    """The author reads the problem and the remedy."""
    ran = tabard("publish", "acme/a", refused_file, "--version", "1.0.0")

    assert ran.code == 4
    assert "fit no module" in ran.err
    assert "hint: train it on sd1" in ran.err


def test_publish_other_bytes_exits_five(tabard: Tabard, style_file: Path, other_file: Path) -> None:
    """A version keeps its bytes."""
    tabard("publish", "acme/a", style_file, "--version", "1.0.0")

    ran = tabard("publish", "acme/a", other_file, "--version", "1.0.0")

    assert (ran.code, "reason: VERSION_EXISTS" in ran.err) == (5, True)


def test_words_that_are_not_taken_are_told(tabard: Tabard, style_file: Path) -> None:
    """The same bytes are the same release; who said other words hears how to amend them."""
    for notes in ("dry", "wet"):
        ran = tabard("publish", "acme/a", style_file, "--version", "1.0.0", "--notes", notes)

    assert (ran.code, "already published" in ran.out) == (0, True)
    assert (
        "not taken, as it was published with others: notes; use tabard edit acme/a@1.0.0" in ran.out
    )
