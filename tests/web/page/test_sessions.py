# SPDX-License-Identifier: Apache-2.0
"""A secret stands for a token as long as it is used, and for nothing once that has ended."""

import itertools

import pytest

from tabard import Unauthenticated
from tabard_web.page.sessions import Sessions

IDLE = 10.0


class Clock:
    """Seconds that pass when somebody says so."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sessions(clock: Clock) -> Sessions:
    secrets = itertools.count()
    return Sessions(
        clock=clock,
        new_secret=lambda: f"secret-{next(secrets)}",
        count_max=2,
        idle_seconds_max=IDLE,
    )


def token_of(sessions: Sessions, secret: str) -> str | None:
    session = sessions.find(secret)
    return session.token if session else None


def test_secret_gives_its_token(sessions: Sessions) -> None:
    """And no other secret does."""
    secret = sessions.begin("token")

    assert token_of(sessions, secret) == "token"
    assert token_of(sessions, "secret") is None
    assert token_of(sessions, "\udcff") is None


def test_session_is_seen_without_being_used(sessions: Sessions, clock: Clock) -> None:
    """Whoever looks whether it is there keeps it no longer."""
    secret = sessions.begin("token")

    clock.now += 1e9
    seen = sessions.is_known(secret)

    assert (seen, sessions.is_known("secret")) == (True, False)
    assert sessions.find(secret) is None


def test_ended_session_is_gone(sessions: Sessions) -> None:
    """Its owner went."""
    secret = sessions.begin("token")

    sessions.end(secret)
    sessions.end(secret)

    assert sessions.find(secret) is None


def test_unused_session_ends_by_itself(sessions: Sessions, clock: Clock) -> None:
    """One that is used goes on."""
    used, unused = sessions.begin("used"), sessions.begin("unused")

    clock.now = IDLE * 0.6
    sessions.find(used)
    clock.now = IDLE * 1.2

    assert (token_of(sessions, used), token_of(sessions, unused)) == ("used", None)


def test_longest_unused_gives_way(sessions: Sessions) -> None:
    """There is room for two."""
    first, second = sessions.begin("first"), sessions.begin("second")
    sessions.find(first)
    third = sessions.begin("third")

    found = [token_of(sessions, one) for one in (first, second, third)]

    assert found == ["first", None, "third"]


def test_refused_session_says_why(sessions: Sessions) -> None:
    """The token is forgotten; the first reason stays, whatever is said later."""
    secret = sessions.begin("token")
    why = Unauthenticated("it was revoked", reason="TOKEN_REVOKED")

    sessions.refuse(secret, why)
    sessions.refuse(secret, Unauthenticated("nobody", reason="TOKEN_REQUIRED"))

    with pytest.raises(Unauthenticated) as told:
        sessions.find(secret)
    assert told.value is why


def test_no_token_is_told_by_accident(sessions: Sessions) -> None:
    """What is printed of a session names no token."""
    session = sessions.find(sessions.begin("hidden-token"))

    assert "hidden-token" not in repr(session)
