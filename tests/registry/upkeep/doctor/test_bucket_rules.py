# SPDX-License-Identifier: Apache-2.0
from datetime import timedelta

import pytest

from tabard_registry.store.probe import ExpiryRule, Versioning
from tests.registry.upkeep.doctor.broken_stores import NOW, Bucket
from tests.registry.upkeep.doctor.examinations import examined, found


def test_if_match_is_information() -> None:
    """Which form of a tag a store takes is told; ignoring stale ones is a warning only."""
    bare, ignoring = Bucket(), Bucket()
    bare.takes = {"{}"}
    ignoring.takes = {"any"}

    assert "taken unquoted" in found(examined(bare), "stale If-Match").detail
    assert found(examined(ignoring), "stale If-Match").verdict == "warn"


@pytest.mark.parametrize(("deletes", "verdict"), [(True, "fail"), (False, "warn")])
def test_lifecycle_rules_are_named(deletes: bool, verdict: str) -> None:
    """A rule that deletes log objects is refused, one that moves them is told."""
    store = Bucket()
    store.rules = (ExpiryRule(name="tidy", prefix="log/", deletes=deletes),)

    check = found(examined(store), "lifecycle rules")

    assert check.verdict == verdict
    assert "tidy" in check.detail


@pytest.mark.parametrize("versioning", [Versioning.ON, Versioning.SUSPENDED])
def test_versioning_is_a_warning(versioning: Versioning) -> None:
    """A delete marker re-opens a slot: the remedy forbids deleting."""
    store = Bucket()
    store.versions = versioning

    check = found(examined(store), "versioning")

    assert check.verdict == "warn"
    assert "s3:DeleteObject" in check.remedy


@pytest.mark.parametrize(("minutes", "told"), [(-5, "300 s behind"), (20, "1200 s ahead")])
def test_clock_skew_is_told(minutes: int, told: str) -> None:
    """How far and in which direction."""
    store = Bucket()
    store.clock = NOW + timedelta(minutes=minutes)

    check = found(examined(store), "clock")

    assert (check.verdict, told in check.detail) == ("warn", True)


def test_silent_rules_are_a_warning() -> None:
    """What a role may not ask does not stop the examination."""
    store = Bucket()
    store.is_silent = True

    diagnosis = examined(store)

    assert (found(diagnosis, "clock").verdict, diagnosis.is_safe) == ("warn", True)
