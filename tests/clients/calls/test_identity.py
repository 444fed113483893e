# SPDX-License-Identifier: Apache-2.0
"""Who one is, tokens and policies, as both clients send and read them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

import tabard
from tabard import Client
from tabard.calls.call import Caller
from tabard.calls.identity import create_token, set_policy
from tests.clients.fakes.server import FakeServer

CALLER = Caller(actor="alice", new_id=lambda: "id-1")


def test_caller_hears_who_it_is(server: FakeServer) -> None:
    """With its roles by namespace, in the words of the command line."""
    with Client(server.address, token="t") as client:
        found = client.whoami()

    assert (found.name, found.tenant, found.proof) == ("ann", "studio", "token")
    assert found.grants == {"acme": ("publish", "promote")}


def test_nobody_is_asked_without_identity(client: Client) -> None:
    """Then there is no name, and no proof."""
    found = client.whoami()

    assert (found.name, found.proof, found.grants) == ("", "", {})


def test_token_is_made_listed_and_revoked(client: Client, server: FakeServer) -> None:
    """The secret comes once, and stays out of what is printed."""
    grants = {"acme": ["publish", "promote"], "*": ["generate"]}

    made = client.create_token("ci", grants, tenant="studio", reason="nightly")
    listed = client.tokens()
    done = client.revoke_token("ci", reason="over")
    again = client.revoke_token(made.token.id, reason="over again")

    assert made.secret.startswith("tabard_") and made.secret not in repr(made)
    assert made.token.grants == {"acme": ("publish", "promote"), "*": ("generate",)}
    assert (made.token.created_by, made.token.tenant) == ("alice", "studio")
    assert listed == (made.token,)
    assert (done.token.revoked, done.token.revoke_reason) == (True, "over")
    assert (done.changed, again.changed, again.token) == (True, False, done.token)
    assert (client.tokens(), len(client.tokens(include_ended=True))) == ((), 1)
    assert server.state.requests[0].request_id


def test_all_pages_of_tokens_come(client: Client) -> None:
    """However many there are on one."""
    for number in range(5):
        client.create_token(f"t{number}", {"acme": ["generate"]})

    assert [one.name for one in client.tokens()] == [f"t{number}" for number in range(5)]


def test_time_is_sent_as_the_log_has_it() -> None:
    """In UTC, to the microsecond; an aware time in any zone."""
    there = datetime(2030, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))
    sent = [
        create_token(CALLER, "ci", {"acme": ["generate"]}, expires_at=time).request.expires_at  # type: ignore[attr-defined]
        for time in (there, "2030-01-01T00:00:00Z", datetime(2030, 1, 1, tzinfo=UTC), "")
    ]

    assert sent == ["2030-01-01T00:00:00.000000Z"] * 3 + [""]


def test_time_without_zone_is_refused() -> None:
    """Nobody could say when that is."""
    with pytest.raises(tabard.InvalidArgument) as caught:
        create_token(CALLER, "ci", {"acme": ["generate"]}, expires_at=datetime(2030, 1, 1))

    assert caught.value.reason == "TIME_INVALID"


def test_unknown_role_names_the_known() -> None:
    """And the one that was probably meant."""
    with pytest.raises(tabard.InvalidArgument, match="did you mean 'publish'") as caught:
        create_token(CALLER, "ci", {"acme": ["pubish"]})

    assert (caught.value.reason, "operate" in caught.value.hint) == ("ROLE_UNKNOWN", True)


@pytest.mark.parametrize("grants", ["acme", {"acme": "publish"}])
def test_grants_are_lists_by_namespace(grants: object) -> None:
    """A text would be taken for its letters."""
    with pytest.raises(TypeError, match="lists of roles by namespace"):
        create_token(CALLER, "ci", grants)  # type: ignore[arg-type]


def test_policy_keeps_what_is_not_said(client: Client, server: FakeServer) -> None:
    """One word after the other."""
    client.set_policy("acme", private=True, reason="client work")
    changed = client.set_policy("acme", require_signature=True)
    opened = client.set_policy("acme", private=False)

    assert (changed.policy.private, changed.policy.require_signature) == (True, True)
    assert not changed.policy.require_identity
    assert opened.policy == client.policy("acme")
    assert (opened.policy.private, opened.policy.require_signature) == (False, True)
    assert not client.set_policy("acme", private=False).changed
    assert (server.state.requests[0].actor, server.state.requests[0].reason) == (
        "alice",
        "client work",
    )


def test_policy_must_say_something() -> None:
    """Nothing is no change."""
    with pytest.raises(tabard.InvalidArgument) as caught:
        set_policy(CALLER, "acme")

    assert caught.value.reason == "POLICY_EMPTY"
