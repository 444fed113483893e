# SPDX-License-Identifier: Apache-2.0
"""`tabard token bootstrap`: the first token of a registry, once."""

from pathlib import Path

from tabard_registry import Registry
from tabard_registry.identity.tokens import hash_of
from tests.clients.cli.conftest import Tabard


def test_first_token_may_do_everything(tabard: Tabard, place: Path) -> None:
    """Its secret stands alone on stdout; the log has its hash and nothing of it."""
    ran = tabard("token", "bootstrap", "--registry", place)

    (token,) = Registry.open(str(place)).tokens()
    secret = ran.out.strip()
    log = b"".join(one.read_bytes() for one in place.rglob("*") if one.is_file())
    assert (ran.code, ran.out.count("\n")) == (0, 1)
    assert (token.name, token.hash, token.created_by) == ("admin", hash_of(secret), "alice")
    assert token.grants.to_json() == {"*": ["admin"]}
    assert secret not in ran.err and secret.rpartition("_")[2].encode() not in log


def test_second_one_is_refused(tabard: Tabard, place: Path) -> None:
    """It is made once; when that one is revoked, again."""
    tabard("token", "bootstrap", "--registry", place)

    refused = tabard("token", "bootstrap", "root", "--registry", place)
    tabard("token", "revoke", "admin", "--reason", "lost", "--registry", place)
    again = tabard("token", "bootstrap", "root", "--registry", place, "--json")

    assert (refused.code, "reason: TOKENS_EXIST" in refused.err) == (5, True)
    assert (again.code, again.document["name"]) == (0, "root")
    assert again.document["secret"].startswith("tabard_")


def test_registry_must_be_there(tabard: Tabard, tmp_path: Path) -> None:
    """None is made by the way."""
    ran = tabard("token", "bootstrap", "--registry", tmp_path / "none")

    assert (ran.code, "NOT_A_REGISTRY" in ran.err) == (4, True)
