# SPDX-License-Identifier: Apache-2.0
"""Publish, check, look and move from the command line, as text and as JSON."""

import json
from pathlib import Path

from tests.clients.cli.conftest import Tabard
from tests.clients.fakes import FakeServer


def test_publish_tells_next_step(tabard: Tabard, style_file: Path) -> None:
    """The author learns what was published and how to let others wear it."""
    ran = tabard("publish", "acme/a", style_file, "--version", "1.0.0", "--trigger", "wtr")

    assert ran.code == 0
    assert "published acme/a 1.0.0" in ran.out
    assert "next: tabard promote acme/a@1.0.0" in ran.out


def test_publish_again_is_told(tabard: Tabard, style_file: Path) -> None:
    """Publishing the same bytes twice succeeds and says so."""
    arguments = ("publish", "acme/a", style_file, "--version", "1.0.0")
    tabard(*arguments)

    ran = tabard(*arguments)

    assert (ran.code, "already published" in ran.out) == (0, True)


def test_publish_json_has_release(tabard: Tabard, server: FakeServer, style_file: Path) -> None:
    """Every option reaches the server, and the document holds the release."""
    options = ("--notes", "n", "--licence", "MIT", "--purpose", "style", "--kind", "dreambooth")

    ran = tabard("publish", "acme/a", style_file, "--version", "1.0.0", *options, "--json")

    release = ran.document["release"]
    assert ran.document["created"]
    assert (release["notes"], release["licence"], release["kind"]) == ("n", "MIT", "dreambooth")
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


def test_check_accepts_good_file(tabard: Tabard, style_file: Path) -> None:
    """Everything in the file would be applied."""
    ran = tabard("check", style_file)

    assert ran.code == 0
    assert "accepted: watercolor.safetensors" in ran.out
    assert "192 of 192" in ran.out


def test_check_refuses_bad_file(tabard: Tabard, refused_file: Path) -> None:
    """The report is the answer, as text and as JSON; the exit code says refused."""
    text = tabard("check", refused_file)
    ran = tabard("check", refused_file, "--json")

    assert (text.code, ran.code) == (4, 4)
    assert "problem UNKNOWN_KEYS: 2 keys fit no module of the base" in text.out
    assert "lora_unet_x.alpha" in text.out
    assert ran.document["problems"][0]["remedy"] == "train it on sd1"


def test_check_needs_base_or_server(tabard: Tabard, style_file: Path) -> None:
    """Without either there is nothing to check against."""
    ran = tabard("check", style_file, "--address", "")

    assert (ran.code, "--base" in ran.err) == (2, True)


def test_list_shows_channels(published: Tabard) -> None:
    """One line an adapter."""
    text = published("list")
    ran = published("list", "--json")

    assert "acme/watercolor" in text.out
    assert "stable → 1.1.0" in text.out
    assert [one["name"] for one in ran.document["adapters"]] == ["acme/watercolor"]


def test_empty_list_says_so(tabard: Tabard) -> None:
    """An empty registry is no error."""
    assert "nothing is published yet" in tabard("list").out
    assert tabard("list", "--json").document == {"adapters": []}


def test_show_adapter_and_release(published: Tabard) -> None:
    """A name shows the line of releases, a ref shows one of them."""
    adapter = published("show", "acme/watercolor")
    release = published("show", "acme/watercolor@1.0.0")

    assert "1.1.0" in adapter.out
    assert "1.0.0" in adapter.out
    assert "ss_steps: 100" in release.out
    document = published("show", "acme/watercolor@1.0.0", "--json").document
    assert document["release"]["version"] == "1.0.0"
    assert len(published("show", "acme/watercolor", "--json").document["adapter"]["releases"]) == 2


def test_rollback_moves_and_is_recorded(published: Tabard) -> None:
    """The move is told, and the history keeps who and why."""
    ran = published("rollback", "acme/watercolor", "--reason", "muddy")
    history = published("history", "acme/watercolor")

    assert ran.out == "acme/watercolor stable: 1.1.0 → 1.0.0 (seq 5)\n"
    last = history.out.splitlines()[-1]
    assert all(word in last for word in ("rollback", "alice", "muddy", "stable"))


def test_rollback_without_past_exits_five(tabard: Tabard, style_file: Path) -> None:
    """There must be something to return to."""
    tabard("publish", "acme/a", style_file, "--version", "1.0.0")
    tabard("promote", "acme/a@1.0.0")

    ran = tabard("rollback", "acme/a", "--reason", "r")

    assert (ran.code, "NOTHING_TO_ROLL_BACK" in ran.err) == (5, True)


def test_moves_are_json(published: Tabard) -> None:
    """A script reads where the channel was and is."""
    promoted = published(
        "promote", "acme/watercolor@1.0.0", "--channel", "canary", "--expect", "none", "--json"
    ).document
    rolled = published("rollback", "acme/watercolor", "--reason", "r", "--json").document

    assert (promoted["channel"], promoted["version"], promoted["moved"]) == (
        "canary",
        "1.0.0",
        True,
    )
    assert (rolled["previous_version"], rolled["version"]) == ("1.1.0", "1.0.0")


def test_promote_without_move_says_so(published: Tabard) -> None:
    """Promoting what is there already is no error."""
    assert "nothing moved" in published("promote", "acme/watercolor@1.1.0").out


def test_yank_and_unyank_speak(published: Tabard) -> None:
    """The reason of a yank is shown with the release."""
    yanked = published("yank", "acme/watercolor@1.0.0", "--reason", "licence")
    shown = published("show", "acme/watercolor")
    unyanked = published("unyank", "acme/watercolor@1.0.0", "--reason", "ok", "--json")

    assert "yanked acme/watercolor 1.0.0: licence" in yanked.out
    assert "yanked: licence" in shown.out
    assert unyanked.document["yanked"] is False


def test_history_json_is_limited(published: Tabard) -> None:
    """Only the newest records, oldest first."""
    records = published("history", "--limit", "2", "--json").document["records"]

    assert [record["seq"] for record in records] == [3, 4]
    assert records[1]["actions"][0]["type"] == "promote"


def test_watch_writes_one_line_each(published: Tabard) -> None:
    """A pipe reads one document a line; a person reads a sentence."""
    ran = published("watch", "--from", "1", "--count", "2", "--json")
    text = published("watch", "--from", "2", "--count", "1")

    assert [json.loads(line)["seq"] for line in ran.out.splitlines()] == [1, 2]
    assert "alice: promote acme/watercolor 1.0.0 → stable" in text.out


def test_operator_commands_speak(published: Tabard) -> None:
    """Status, warm and drain as text."""
    warm = published("warm", "acme/watercolor")
    drain = published("drain", "--wait", "1")
    status = published("status")

    assert "acme/watercolor 1.1.0 is in host memory, 324.0 kB" in warm.out
    assert "jobs still running: 2" in drain.out
    assert "(draining)" in status.out
    assert "1:02:05" in status.out


def test_operator_commands_are_json(published: Tabard) -> None:
    """Status, warm and drain as documents."""
    assert published("status", "--json").document["residents"][0]["tier"] == "host"
    assert published("warm", "acme/watercolor", "--json").document["version"] == "1.1.0"
    assert published("drain", "--json").document == {"jobs_left": 2}
