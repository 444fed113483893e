# SPDX-License-Identifier: Apache-2.0
"""Tokens as acts: made once, revoked for good, by those who may give what they give."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType

import pytest

from tabard_registry import (
    EVERYTHING,
    AlreadyExists,
    Author,
    Forbidden,
    Grants,
    InvalidField,
    NotFound,
    PreconditionFailed,
    Proof,
    Registry,
    RegistryError,
    Role,
    acts,
    hash_of,
)
from tabard_registry.acts import tokens
from tabard_registry.identity.tokens import new_token
from tabard_registry.log.slots import slot_key
from tabard_registry.state import meanings
from tests.registry.fakes import promote, publish

OWNER = Author(actor="owner", reason="asked")
ACME = Grants({"acme": frozenset({Role.ADMIN})})
PUBLISH = Grants({"acme": frozenset({Role.PUBLISH})})
ACME_OWNER = Author(actor="ann", reason="asked", proof=Proof.TOKEN, grants=ACME)


def test_log_keeps_the_hash_alone(registry: Registry, tmp_path: Path) -> None:
    """Every replica knows the token, and none of the files of the registry has the secret."""
    made = registry.create_token("ci", grants=PUBLISH, author=OWNER)

    other = Registry.open(str(tmp_path / "registry"))
    registry.checkpoint()

    [token] = other.state.tokens.values()
    assert (token.name, token.grants, token.hash) == ("ci", PUBLISH, hash_of(made.secret))
    assert token.created_by == "owner"
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert len(files) > 2
    assert not any(made.secret[-64:].encode() in file.read_bytes() for file in files)


def test_revoked_token_stays_revoked(registry: Registry, tmp_path: Path) -> None:
    """By name or id, once; again it writes nothing. Its name is free then."""
    first = registry.create_token("ci", grants=PUBLISH, author=OWNER).token

    revoked = registry.revoke_token("ci", author=OWNER)
    again = [registry.revoke_token(one, author=OWNER) for one in ("ci", first.id)]

    token = revoked.subject
    assert [(one.subject, one.changed) for one in again] == [(token, False)] * 2
    assert (token.id, token.revoked, token.revoke_reason) == (first.id, True, "asked")
    assert revoked.changed
    assert (registry.seq, Registry.open(str(tmp_path / "registry")).state) == (2, registry.state)
    second = registry.create_token("ci", grants=PUBLISH, author=OWNER).token
    assert registry.revoke_token("ci", author=OWNER).subject.id == second.id


def test_revoking_needs_token_and_reason(registry: Registry) -> None:
    """What is not there cannot be revoked, and nobody revokes without a word."""
    registry.create_token("ci", grants=PUBLISH, author=OWNER)

    for name in ("cd", "0" * 12):
        with pytest.raises(NotFound) as caught:
            registry.revoke_token(name, author=OWNER)
        assert caught.value.reason == "TOKEN_NOT_FOUND"
    with pytest.raises(InvalidField, match="needs a reason"):
        registry.revoke_token("ci", author=Author(actor="owner"))


def test_one_live_token_has_a_name(registry: Registry) -> None:
    """Whoever sees the name in the history knows which one it was."""
    registry.create_token("ci", grants=PUBLISH, author=OWNER)

    with pytest.raises(AlreadyExists) as caught:
        registry.create_token("ci", grants=PUBLISH, author=OWNER)

    assert (caught.value.reason, registry.seq) == ("TOKEN_EXISTS", 1)


def test_same_request_makes_no_second_token(registry: Registry) -> None:
    """Its secret was told once: whoever lost that answer is told so, not given another secret."""
    author = replace(OWNER, request_id="r")
    registry.create_token("ci", grants=PUBLISH, author=author)

    with pytest.raises(AlreadyExists) as caught:
        registry.create_token("ci", grants=PUBLISH, author=author)

    assert (caught.value.reason, len(registry.state.tokens)) == ("REQUEST_ID_REUSED", 1)


def test_same_request_revokes_once(registry: Registry) -> None:
    """Repeated, it is answered as before."""
    registry.create_token("ci", grants=PUBLISH, author=OWNER)
    author = replace(OWNER, request_id="r")

    first = registry.revoke_token("ci", author=author)

    assert (registry.revoke_token("ci", author=author), registry.seq) == (first, 2)


@pytest.mark.parametrize(
    "grants",
    [
        EVERYTHING,
        Grants({"*": frozenset({Role.GENERATE})}),
        Grants({"guild": frozenset({Role.GENERATE})}),
        Grants({"acme": frozenset({Role.GENERATE}), "guild": frozenset({Role.ADMIN})}),
    ],
)
def test_nobody_gives_more_than_they_have(registry: Registry, grants: Grants) -> None:
    """An admin of one namespace makes no token for another one, or for all."""
    with pytest.raises(Forbidden) as caught:
        registry.create_token("ci", grants=grants, author=ACME_OWNER)

    assert (caught.value.reason, registry.seq) == ("ROLE_MISSING", 0)
    assert registry.create_token("ci", grants=PUBLISH, author=ACME_OWNER).token.name == "ci"


def test_only_an_admin_gives(registry: Registry) -> None:
    """Who may publish may not let others publish."""
    with pytest.raises(Forbidden, match="admin in acme"):
        registry.create_token("ci", grants=PUBLISH, author=replace(ACME_OWNER, grants=PUBLISH))


def test_stronger_tokens_do_not_exist_for_the_weaker(registry: Registry) -> None:
    """Neither listed nor revoked: the answer is that for a name which nobody has."""
    root = registry.bootstrap_token("root", author=OWNER).token
    mine = registry.create_token("ci", grants=PUBLISH, author=ACME_OWNER).token

    refusals = []
    for name in (root.id, "0" * 12):
        with pytest.raises(NotFound) as caught:
            registry.revoke_token(name, author=ACME_OWNER)
        refusals.append((str(caught.value).replace(name, "ID"), caught.value.hint))

    assert refusals[0] == refusals[1]
    assert registry.tokens(grants=ACME) == (mine,)
    assert [one.name for one in registry.tokens()] == ["ci", "root"]


def test_first_admin_is_made_once(registry: Registry) -> None:
    """Another one only when the first counts no longer."""
    registry.create_token("ci", grants=ACME, author=OWNER)
    first = registry.bootstrap_token("root", author=OWNER).token

    with pytest.raises(AlreadyExists) as caught:
        registry.bootstrap_token("other", author=OWNER)

    assert caught.value.reason == "TOKENS_EXIST"
    assert first.id in str(caught.value)
    registry.revoke_token("root", author=OWNER)
    assert registry.bootstrap_token("other", author=OWNER).token.grants == EVERYTHING


def test_expired_admin_is_none(registry: Registry) -> None:
    """A registry whose only admin has expired gets a new one."""
    soon = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=2)
    registry.create_token("root", grants=EVERYTHING, author=OWNER, expires_at=soon)

    assert registry.bootstrap_token("other", author=OWNER).token.name == "other"


def test_token_that_never_counts_is_refused(registry: Registry) -> None:
    """Its end is before its beginning."""
    with pytest.raises(InvalidField, match="would never count"):
        registry.create_token(
            "ci", grants=PUBLISH, author=OWNER, expires_at=datetime(2020, 1, 1, tzinfo=UTC)
        )


def test_two_first_admins_are_one(tmp_path: Path) -> None:
    """Two machines that begin at once: the log decides."""
    first, second = (Registry.open(str(tmp_path / "registry")) for _ in range(2))
    first.bootstrap_token("one", author=OWNER)

    with pytest.raises(AlreadyExists):
        second.bootstrap_token("two", author=OWNER)

    assert len(second.state.tokens) == 1


def test_tokens_are_nobodys_history(registry: Registry, tmp_path: Path) -> None:
    """Not of an adapter, not of all of them, not found, not served, not among the strays."""
    publish(registry, "1.0.0", folder=tmp_path)
    promote(registry, "1.0.0")
    before = registry.state
    told = registry.queries.history()

    registry.create_token("secretname", grants=PUBLISH, author=OWNER)
    registry.revoke_token("secretname", author=OWNER)
    with pytest.raises(RegistryError):
        registry.create_token("secretname", grants=EVERYTHING, author=ACME_OWNER)

    assert registry.seq == before.seq + 2
    assert registry.queries.history() == told
    assert registry.state.strays == before.strays == ()
    assert dict(registry.state.adapters) == dict(before.adapters)
    assert registry.queries.search("secretname") == ()
    assert len(registry.queries.served_at(datetime(2027, 1, 1, tzinfo=UTC))) == 1


def test_old_program_stops_at_a_token(registry: Registry, tmp_path: Path) -> None:
    """A token is written in a record of the second version."""
    registry.create_token("ci", grants=PUBLISH, author=OWNER)

    content = (tmp_path / "registry" / slot_key(1)).read_bytes()

    assert b'"v":2' in content


def test_many_tokens_are_kept(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound the oldest revoked one is forgotten; without one no other is made."""
    for module in (meanings, tokens):
        monkeypatch.setattr(module, "TOKENS_MAX", 3)
    names = ["a", "b", "c"]
    for name in names:
        registry.create_token(name, grants=PUBLISH, author=OWNER)
    with pytest.raises(PreconditionFailed) as caught:
        registry.create_token("d", grants=PUBLISH, author=OWNER)
    registry.revoke_token("b", author=OWNER)

    registry.create_token("d", grants=PUBLISH, author=OWNER)

    assert caught.value.reason == "TOKENS_TOO_MANY"
    assert [one.name for one in registry.tokens()] == ["a", "c", "d"]


def test_id_is_never_used_again(registry: Registry) -> None:
    """Chance would have to repeat itself; if it does, nobody's token is replaced."""
    new = new_token(
        registry.id,
        name="a",
        grants=PUBLISH,
        created_at="2026-01-01T00:00:00.000000Z",
        created_by="",
    )
    registry.commit(acts.create_token(new.token), author=OWNER)

    with pytest.raises(AlreadyExists):
        registry.commit(acts.create_token(replace(new.token, name="b")), author=OWNER)


def test_tokens_are_immutable(registry: Registry) -> None:
    """A snapshot that somebody holds never changes under them."""
    registry.create_token("a", grants=PUBLISH, author=OWNER)
    before = registry.state

    registry.create_token("b", grants=PUBLISH, author=OWNER)

    assert isinstance(before.tokens, MappingProxyType)
    assert [one.name for one in before.tokens.values()] == ["a"]
