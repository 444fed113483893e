# SPDX-License-Identifier: Apache-2.0
"""`tabard token list`: who may do what, without secrets."""

from pathlib import Path

import pytest

from tests.clients.cli.conftest import Tabard


@pytest.mark.parametrize("is_here", [True, False])
def test_tokens_are_listed(tabard: Tabard, place: Path, is_here: bool) -> None:
    """At a server and here alike; those that ended only when they are asked for."""
    where = ("--registry", place) if is_here else ()
    secrets = [
        tabard(
            *("token", "create", name, "--role", "publish", "--namespace", "acme"), *where
        ).out.strip()
        for name in ("ci", "old")
    ]
    tabard("token", "revoke", "old", "--reason", "it leaked", *where)

    shown, every = tabard("token", "list", *where), tabard("token", "list", "--all", *where)
    document = tabard("token", "list", "--all", "--json", *where).document

    assert "ci" in shown.out and "old" not in shown.out
    assert "it leaked" in every.out
    assert [(one["name"], one["revoked"]) for one in document] == [("ci", False), ("old", True)]
    assert document[0]["grants"] == {"acme": ["publish"]}
    assert "hash" not in document[0]
    assert not any(secret in every.out for secret in secrets)


def test_nothing_is_said(tabard: Tabard, place: Path) -> None:
    """Where there is none."""
    assert tabard("token", "list").out == "no tokens\n"
    assert tabard("token", "list", "--json", "--registry", place).document == []
