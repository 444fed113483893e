# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import traceback
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabard_registry import Grants, InvalidField, Role
from tabard_registry.identity.tokens import (
    SECRET_CHARS_MAX,
    TOKEN_NAME_CHARS_MAX,
    NewToken,
    Token,
    hash_of,
    new_secret,
    new_token,
    parse_secret,
    registry_mark,
)

REGISTRY = "0123456789abcdef" * 2
GRANTS = Grants({"acme": frozenset({Role.PUBLISH})})
NOW = "2026-01-01T00:00:00.000000Z"


def made(**changes: object) -> NewToken:
    """A new token."""
    fields: dict[str, object] = {
        "name": "ci/nightly",
        "grants": GRANTS,
        "created_at": NOW,
        "created_by": "ann",
    }
    return new_token(REGISTRY, **{**fields, **changes})  # type: ignore[arg-type]


def test_secret_says_its_registry_and_token() -> None:
    """So that a token of another registry can be told from one that is wrong."""
    secret = new_secret(REGISTRY)

    parts = parse_secret(secret.text)

    assert parts is not None
    assert (parts.mark, parts.id) == (registry_mark(REGISTRY), secret.id) == ("01234567", parts.id)
    assert hash_of(secret.text) == secret.hash
    assert new_secret(REGISTRY).text != secret.text


def test_every_registry_has_a_mark() -> None:
    """Also one whose id has other letters, or few."""
    assert [len(registry_mark(id)) for id in ("", "id-1", REGISTRY)] == [8, 8, 8]
    assert parse_secret(new_secret("id-1").text) is not None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tabard_",
        new_secret(REGISTRY).text[:-1],
        new_secret(REGISTRY).text + "0",
        new_secret(REGISTRY).text + "\n",
        new_secret(REGISTRY).text.upper(),
        " " + new_secret(REGISTRY).text,
        "tabard_" * (1 << 17),
        "٣" * 93,
    ],
    ids=range(9),
)
def test_what_is_no_secret_is_told(text: str) -> None:
    """Whatever its length: only so much is ever looked at."""
    assert parse_secret(text) is None


@given(st.text(max_size=2 * SECRET_CHARS_MAX))
def test_any_text_is_a_secret_or_none(text: str) -> None:
    """Nothing that callers send is an exception."""
    assert parse_secret(text) is None
    assert len(hash_of(text)) == 64


def test_secret_is_printed_nowhere() -> None:
    """Neither by what holds it, nor by what goes wrong with it."""
    secret, new = new_secret(REGISTRY), made()
    with pytest.raises(InvalidField) as caught:
        made(name=new.secret)

    shown = [f"{one!r} {one!s} {one}" for one in (secret, new, new.token)]

    for text in shown:
        assert secret.text[-64:] not in text
        assert new.secret[-64:] not in text
    assert new.token.hash not in "".join(shown)
    assert new.secret[-64:] not in "".join(traceback.format_exception(caught.value))


def test_token_survives_its_json() -> None:
    """The record has all of it; where its acts are, only the fold knows."""
    token = replace(made(tenant="guild").token, revoked=True, revoke_reason="lost")

    assert Token.from_json(token.to_json()) == token
    assert Token.from_json(token.to_json(), places=((1, 0),)).places == ((1, 0),)


def test_tenant_is_the_name_unless_said() -> None:
    """Whoever wants shares among several tokens says so."""
    assert (made().token.tenant, made(tenant="guild").token.tenant) == ("ci/nightly", "guild")


@pytest.mark.parametrize("name", ["", " ", "a b", "-a", "a-", "a\n", "ä", "0123456789ab", "a\x1b"])
def test_odd_names_are_refused(name: str) -> None:
    """A name stands in records, logs and labels, and is never taken for an id."""
    with pytest.raises(InvalidField) as caught:
        made(name=name)

    assert caught.value.reason == "FIELD_INVALID"


@pytest.mark.parametrize("field", ["name", "tenant"])
def test_names_are_bounded(field: str) -> None:
    """The longest is taken, one more letter is not."""
    made(**{field: "x" * TOKEN_NAME_CHARS_MAX})

    with pytest.raises(InvalidField, match="65 characters"):
        made(**{field: "x" * (TOKEN_NAME_CHARS_MAX + 1)})


@pytest.mark.parametrize("field", ["created_at", "expires_at"])
@pytest.mark.parametrize("time", ["tomorrow", "2026-01-01", "2026-01-01T00:00:00.000000+01:00"])
def test_times_compare_as_texts(field: str, time: str) -> None:
    """Only times as records write them can be compared."""
    with pytest.raises(InvalidField):
        made(**{field: time})


def test_token_lives_until_its_end() -> None:
    """At its last moment it counts no longer, and neither once it is revoked."""
    token = made(expires_at="2026-02-01T00:00:00.000000Z").token

    assert token.is_live(at="2026-01-31T23:59:59.999999Z")
    assert not token.is_live(at="2026-02-01T00:00:00.000000Z")
    assert not token.as_revoked("lost", places=()).is_live(at=NOW)
    assert made().token.is_live(at="9999-01-01T00:00:00.000000Z")
