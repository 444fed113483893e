# SPDX-License-Identifier: Apache-2.0
"""Calls that go on end when what was shown counts no longer, and only then."""

import asyncio

import pytest

from tabard_registry.identity.identity import Identity, Proof
from tabard_registry.identity.roles import Grants
from tabard_server.errors import Unauthenticated
from tabard_server.identity.credentials import Session
from tabard_server.identity.sessions import Sessions

ANN, BEN = (
    Session(
        identity=Identity(
            name=name, tenant=name, grants=Grants({}), proof=Proof.TOKEN, token_id=name
        )
    )
    for name in ("ann", "ben")
)


def test_review_ends_those_that_do_not_count() -> None:
    """One session has ended: its call is over, the other's goes on."""
    gone: set[str] = set()

    def ended(session: Session) -> Unauthenticated | None:
        return Unauthenticated("gone") if session.identity.name in gone else None

    async def walk() -> tuple[int, int, BaseException | None]:
        sessions = Sessions(ended=ended)

        async def wait(session: Session) -> None:
            async with sessions.hold(session):
                await asyncio.Event().wait()

        ann, ben = (asyncio.ensure_future(wait(one)) for one in (ANN, BEN))
        await asyncio.sleep(0)
        sessions.review()
        before = sessions.held
        gone.add("ann")
        sessions.review()
        await asyncio.wait([ann])
        after = sessions.held
        ben.cancel()
        return before, after, ann.exception()

    before, after, error = asyncio.run(walk())

    assert (before, after) == (2, 1)
    assert isinstance(error, Unauthenticated)


def test_expiry_ends_a_call_by_itself() -> None:
    """At its time, with no record that says so."""
    ends = Session(identity=ANN.identity, expires_at=100.0)

    async def walk() -> None:
        sessions = Sessions(ended=lambda _session: None, clock=lambda: 99.99)
        async with sessions.hold(ends):
            await asyncio.Event().wait()

    with pytest.raises(Unauthenticated) as refused:
        asyncio.run(walk())

    assert refused.value.reason == "TOKEN_EXPIRED"


def test_timeout_of_the_work_is_its_own() -> None:
    """Work that is late is not called unauthenticated."""

    async def walk() -> None:
        sessions = Sessions(ended=lambda _session: None)
        async with sessions.hold(ANN):
            raise TimeoutError

    with pytest.raises(TimeoutError):
        asyncio.run(walk())
