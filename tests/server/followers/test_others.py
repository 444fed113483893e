# SPDX-License-Identifier: Apache-2.0
"""Who keeps a job: told by its id and by what servers say of themselves, and by nothing else."""

import asyncio
import base64
from collections.abc import Callable

import pytest

from tabard_registry.content.replicas import Replica, SeenReplica
from tabard_server.errors import JobElsewhere
from tabard_server.followers.others import Others, name_of

OWN, OTHER, THIRD = "1" * 32, "2" * 32, "3" * 32
JOB = "0" * 32
BASE = "sha256:" + "b" * 64


def seen(server_id: str, address: str, *, age: float = 1.0) -> SeenReplica:
    """Return a server that was heard of."""
    said = Replica(id=server_id, address=address, base_fingerprint=BASE, every_seconds=60.0)
    return SeenReplica(replica=said, age_seconds=age)


def others(*found: SeenReplica, own: str = "127.0.0.1:1", asked: list[int] | None = None) -> Others:
    """Return what knows these servers; `asked` counts how often the store was."""

    def read() -> tuple[SeenReplica, ...]:
        if asked is not None:
            asked.append(1)
        return found

    return Others(OWN, seen=read, own_address=own, clock=lambda: 0.0)


def walk(known: Others, work: Callable[[Others], object]) -> None:
    async def walk_there() -> None:
        try:
            await work(known)  # type: ignore[misc]
        finally:
            known.close()

    asyncio.run(walk_there())


def refusal(known: Others, job: str) -> JobElsewhere | None:
    """Return how a job is refused; None: it may be nobody's."""
    try:
        walk(known, lambda one: one.refuse(job))
    except JobElsewhere as error:
        return error
    return None


def test_server_of_a_job_is_named() -> None:
    """As a proxy knows it, with its base, and when to come back."""
    found = refusal(others(seen(OWN, "127.0.0.1:1"), seen(OTHER, "127.0.0.1:2")), "2" * 8 + JOB)

    assert found is not None
    assert base64.b64decode(found.server) == b"127.0.0.1:2"
    assert (found.base, found.retry_seconds) == (BASE, 1.0)


@pytest.mark.parametrize("job", ["1" * 8 + JOB, "9" * 8 + JOB, "2" * 32, "", "../" * 13 + "x"])
def test_job_of_nobody_is_nobodys(job: str) -> None:
    """This server's own, one of a server that nobody heard of, and what is no id of a job."""
    assert refusal(others(seen(OTHER, "127.0.0.1:2")), job) is None


def test_lost_server_is_told_of() -> None:
    """Its jobs are not lost with it: who asks is told since when it is away."""
    found = refusal(others(seen(OTHER, "127.0.0.1:2", age=500.0)), "2" * 8 + JOB)

    assert "500 s ago" in str(found)


@pytest.mark.parametrize("address", ["", "no-port", "nobody.invalid:50051", "unix:/x", "h:x"])
def test_server_without_an_address_is_not_named(address: str) -> None:
    """Nobody can be sent there, and nobody is asked to come back."""
    found = refusal(others(seen(OTHER, address)), "2" * 8 + JOB)

    assert found is not None
    assert (found.server, found.retry_seconds) == ("", None)
    assert "advertise" in found.hint


def test_store_is_asked_now_and_then() -> None:
    """However many ids are tried."""
    asked: list[int] = []
    known = others(seen(OTHER, "127.0.0.1:2"), asked=asked)

    async def try_many(one: Others) -> None:
        for number in range(100):
            await one.refuse(f"{number + 10**9:08x}" + JOB)

    walk(known, try_many)

    assert len(asked) == 1


def test_places_are_those_that_are_there() -> None:
    """This server, and others that were heard of lately; none where it has no address itself."""
    found = (
        seen(OWN, "127.0.0.1:1"),
        seen(OTHER, "127.0.0.1:2"),
        seen(THIRD, "127.0.0.1:3", age=999.0),
        seen("4" * 32, ""),
    )

    async def look(one: Others) -> None:
        places = await one.places()
        assert (places.own, list(places.others)) in (
            (name_of("127.0.0.1:1"), [name_of("127.0.0.1:2")]),
            ("", []),
        )
        assert bool(places.own) is bool(one._own_address)

    walk(others(*found), look)
    walk(others(*found, own=""), look)


def test_names_are_addresses() -> None:
    """Names are looked up, for proxies know none; addresses of either kind stay."""
    assert base64.b64decode(name_of("[::1]:5")) == b"[::1]:5"
    assert base64.b64decode(name_of("localhost:5")) in (b"127.0.0.1:5", b"[::1]:5")
