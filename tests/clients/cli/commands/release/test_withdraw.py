# SPDX-License-Identifier: Apache-2.0
"""Withdraw, combine, sign, search and look back from the command line, as text and as JSON."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tabard_registry.refs.digest import Digest
from tabard_registry.trust.signatures import is_signature, new_key_pair, public_key_of
from tests.clients.cli.conftest import Tabard
from tests.clients.fakes import FakeServer

REF = "acme/watercolor@1.0.0"


@pytest.mark.parametrize(
    ("command", "said", "flag"),
    [
        ("yank", "yanked acme/watercolor 1.0.0: why not", "yanked: why not"),
        ("quarantine", "quarantined acme/watercolor 1.0.0: why not", "quarantined: why not"),
        ("purge", "purged acme/watercolor 1.0.0: why not", "purged: why not"),
    ],
)
def test_withdrawal_is_shown(published: Tabard, command: str, said: str, flag: str) -> None:
    """The act is told, and whoever looks at the release reads why."""
    ran = published(command, REF, "--reason", "why not")

    assert (ran.code, said in ran.out) == (0, True)
    assert flag in published("show", "acme/watercolor").out
    assert flag in published("show", REF).out


def test_lift_gives_release(published: Tabard) -> None:
    """As a sentence, and as a document."""
    published("quarantine", REF, "--reason", "r")

    text = published("lift", REF, "--reason", "cleared")
    ran = published("lift", REF, "--reason", "cleared", "--json")

    assert "acme/watercolor 1.0.0 can be served again" in text.out
    assert ran.document["quarantined"] is False


@pytest.mark.parametrize("command", ["yank", "unyank", "quarantine", "lift", "purge"])
def test_withdrawal_needs_reason(published: Tabard, command: str) -> None:
    """Nobody withdraws anything without saying why."""
    assert published(command, REF).code == 2


def test_show_looks_at_the_withdrawn(published: Tabard, server: FakeServer) -> None:
    """What nobody is served with can be looked at all the same."""
    published("show", REF)

    assert server.state.requests[-1].include_withdrawn


def test_recipe_tells_members(published: Tabard) -> None:
    """Members with their weights, and how to let others wear it."""
    published("quarantine", REF, "--reason", "r")

    ran = published("recipe", "acme/mix", f"{REF}:0.7", "--version", "1.0.0", "--reason", "book")
    shown = published("show", "acme/mix@1.0.0")
    document = published("show", "acme/mix@1.0.0", "--json").document["release"]

    assert ran.code == 0
    assert "next: tabard promote acme/mix@1.0.0" in ran.out
    assert "0.7" in shown.out
    assert f"uses withdrawn {REF}" in shown.out
    assert document["members"][0]["weight"] == 0.7
    assert document["publish_reason"] == "book"


def test_search_lists_hits(published: Tabard) -> None:
    """A line for each adapter; nothing found is no error."""
    found = published("search", "watercolor")
    none = published("search", "no", "such")

    assert "acme/watercolor" in found.out
    assert (none.code, none.out) == (0, "nothing has all these words\n")
    hit = published("search", "watercolor", "--json").document["hits"][0]
    assert hit["release_count"] == 2


def test_history_passes_times_on(published: Tabard, server: FakeServer) -> None:
    """Since and until go to the server as they were written."""
    published("history", "--since", "2030-01-01T00:00:00Z", "--until", "2031-01-01T00:00:00Z")

    request = server.state.requests[-1]
    assert (request.since, request.until) == ("2030-01-01T00:00:00Z", "2031-01-01T00:00:00Z")


def test_history_at_tells_who_served_what(published: Tabard) -> None:
    """Channel, version, since when, by whom; that there is more is said."""
    text = published("history", "--at", "2030-01-01T00:00:00Z")
    ran = published("history", "--at", "2030-01-01T00:00:00Z", "--json")

    assert all(word in text.out for word in ("stable", "1.1.0", "alice (promote)"))
    assert "there is more" in text.out
    assert ran.document["servings"][0]["since"]["actor"] == "alice"


def test_history_at_is_one_moment(published: Tabard) -> None:
    """A moment has neither beginning nor end."""
    assert published("history", "--at", "2030-01-01T00:00:00Z", "--since", "x").code == 2


def test_act_without_effect_says_why(published: Tabard, server: FakeServer) -> None:
    """A record that changed nothing is shown with the note of the fold."""
    action = server.state.records[-1].actions[0]
    action.effective, action.note = False, "the channel had moved"

    assert "(without effect: the channel had moved)" in published("history").out


@pytest.fixture
def signable(server: FakeServer, published: Tabard) -> Callable[..., None]:
    """Give what makes the server's manifest: true, of a name, made from some bytes."""

    def make(*, adapter: str = "acme/watercolor", original: bytes = b"style" * 300_000) -> None:
        document = {
            "adapter": adapter,
            "version": "1.0.0",
            "original": [{"sha256": f"sha256:{hashlib.sha256(original).hexdigest()}"}],
        }
        server.state.manifest = json.dumps(document).encode()
        release = server.state.releases["acme/watercolor"][-1]
        release.digest = f"sha256:{hashlib.sha256(server.state.manifest).hexdigest()}"

    return make


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    """Write a private key."""
    path = tmp_path / "ann.pem"
    path.write_bytes(new_key_pair().private_key_pem)
    return path


def test_sign_checks_then_signs(
    published: Tabard,
    server: FakeServer,
    signable: Callable[..., None],
    key_file: Path,
    style_file: Path,
) -> None:
    """The signature is true, goes to the digest that was checked, and is shown."""
    signable()

    ran = published("sign", REF, "--key", key_file, "--file", style_file)

    release = server.state.releases["acme/watercolor"][-1]
    request = server.state.requests[-1]
    assert (ran.code, request.ref) == (0, f"acme/watercolor@{release.digest}")
    assert f"signed by key {request.key_id}" in ran.out
    assert is_signature(
        request.signature,
        digest=Digest.parse(release.digest),
        public_key=public_key_of(key_file.read_bytes()),
    )
    assert f"key {request.key_id}" in published("show", REF).out


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"original": b"another"}, "FILE_MISMATCH"), ({"adapter": "acme/x"}, "MANIFEST_MISMATCH")],
)
def test_sign_refuses_what_is_another(
    published: Tabard,
    server: FakeServer,
    signable: Callable[..., None],
    key_file: Path,
    style_file: Path,
    change: dict[str, object],
    reason: str,
) -> None:
    """A release of other bytes or another name is not signed."""
    signable(**change)

    ran = published("sign", REF, "--key", key_file, "--file", style_file)

    assert (ran.code, f"reason: {reason}" in ran.err) == (4, True)
    assert not server.state.releases["acme/watercolor"][-1].signatures


def test_sign_refuses_other_files_as_key(
    published: Tabard, signable: Callable[..., None], other_file: Path
) -> None:
    """What is no private key is told as that."""
    signable()

    ran = published("sign", REF, "--key", other_file)

    assert (ran.code, "not an Ed25519 private key" in ran.err) == (4, True)
