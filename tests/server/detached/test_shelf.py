# SPDX-License-Identifier: Apache-2.0
"""Which jobs are kept: by time, number and bytes; who has most makes room."""

from typing import Any

from tabard_server.detached.held import Held
from tabard_server.detached.record import JobRecord
from tabard_server.detached.shelf import Shelf
from tabard_server.limits import TenantLimits, Tenants
from tabard_server.webhooks.settings import JobsSettings
from tests.server.detached.records import ALICE, BOB, done, record


def shelf_of(
    *records: JobRecord, tenants: tuple[TenantLimits, ...] = (), now: float = 3_000.0, **said: Any
) -> Shelf:
    shelf = Shelf(JobsSettings(**said), tenants=Tenants(tenants), clock=lambda: now)
    for one in records:
        shelf.add(Held(one))
    return shelf


def due(shelf: Shelf) -> list[str]:
    return [held.record.id for held in shelf.due()]


def test_job_goes_when_its_time_is_over() -> None:
    """Counted from its end; one that runs stays."""
    old, new = done("a" * 8, at=1_000.0), done("b" * 8, at=2_000.0)
    running = record("c" * 8, created_at=0.0)

    assert due(shelf_of(old, new, running, keep_seconds=1_500.0)) == ["a" * 8]


def test_whoever_has_most_makes_room() -> None:
    """By bytes and by number; the oldest of theirs first."""
    mine = [done(f"{n}" * 8, at=2_000.0 + n, size=100) for n in range(3)]
    others = [done("d" * 8, at=1_000.0, size=100, owner=BOB)]

    assert due(shelf_of(*mine, *others, bytes_max=250)) == ["0" * 8, "1" * 8]
    assert due(shelf_of(*mine, *others, kept_max=3)) == ["0" * 8]


def test_tenant_has_a_bound_of_its_own() -> None:
    """Others keep what they have."""
    jobs = [done("a" * 8, at=1.0), done("b" * 8, at=2.0), done("d" * 8, at=0.0, owner=BOB)]
    by_number = (TenantLimits(name="studio", jobs_max=1),)
    by_bytes = (TenantLimits(name="studio", job_bytes_max=150),)

    assert due(shelf_of(*jobs, tenants=by_number)) == ["a" * 8]
    assert due(shelf_of(*jobs, tenants=by_bytes)) == ["a" * 8]


def test_images_in_a_bucket_take_no_room_here() -> None:
    """They are not on this disk."""
    assert due(shelf_of(done(size=1_000, place="acme"), bytes_max=10)) == []


def test_job_is_its_owners() -> None:
    """By id, by request id and in a list."""
    shelf = shelf_of(
        done("a" * 8, request_id="mine"), done("b" * 8, at=2_500.0, created_at=2_000.0)
    )

    assert shelf.get("a" * 8, owner=ALICE) is not None
    assert shelf.get("a" * 8, owner=BOB) is None
    assert shelf.called("mine", owner=BOB) is None
    assert shelf.called("", owner=ALICE) is None
    assert [held.record.id for held in shelf.of(ALICE)] == ["b" * 8, "a" * 8]
    assert shelf.of(BOB) == []


def test_taken_job_is_forgotten() -> None:
    """Its request id is free again."""
    shelf = shelf_of(done(request_id="mine"))
    held = shelf.called("mine", owner=ALICE)
    assert held is not None
    shelf.take(held)
    shelf.take(held)

    assert shelf.called("mine", owner=ALICE) is None
    assert (len(shelf), shelf.byte_count) == (0, 0)
