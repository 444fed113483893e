# SPDX-License-Identifier: Apache-2.0
"""Whom a review is by, what it is of, and what it takes to name a report."""

from dataclasses import replace
from pathlib import Path

import pytest

from tabard_registry import Author, Registry, Release
from tabard_registry.errors import RegistryError
from tabard_registry.identity.roles import Grants, Role
from tabard_server.reviewing.reviews import Reviews, named_report
from tests.registry.evidence.reports import ANN, BOB, put_report
from tests.registry.fakes import publish, ref

REF = ref("1.0.0")


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """A registry with a release by ann, and two reports."""
    found = Registry.open(str(tmp_path / "registry"))
    release = publish(found, "1.0.0", folder=tmp_path).release
    put_report(found, release, verdict="Failed")
    put_report(found, release, verdict="Success")
    return found


def release_of(registry: Registry) -> Release:
    """The release as it is now."""
    return registry.state.find(REF)


def digests(registry: Registry) -> list[str]:
    """The reports, oldest first."""
    return [str(one.document) for one in release_of(registry).health.evidence]


def reason_of(registry: Registry, *, evidence: str, author: Author = BOB) -> str:
    """Why a review is refused; empty: it is taken."""
    try:
        Reviews(registry).review(REF, decision="approve", evidence=evidence, author=author)
    except RegistryError as error:
        return error.reason
    return ""


def test_report_is_named_by_its_first_digits(registry: Registry) -> None:
    """As the command line shows it, in any case, or whole."""
    newest = digests(registry)[-1]

    for text in (newest, newest[:19], newest.removeprefix("sha256:")[:12].upper()):
        assert str(named_report(release_of(registry), text)) == newest
    assert named_report(release_of(registry), "") is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("latest", "INVALID_DIGEST"),
        ("sha256:abc", "INVALID_DIGEST"),
        ("0" * 65, "INVALID_DIGEST"),
        ("0" * 64, "EVIDENCE_NOT_FOUND"),
        ("0" * 12, "EVIDENCE_NOT_FOUND"),
    ],
)
def test_what_names_no_report(registry: Registry, text: str, reason: str) -> None:
    """Refused with where to look."""
    assert reason_of(registry, evidence=text) == reason


def test_review_is_of_the_newest_report(registry: Registry) -> None:
    """Not of an older one, not of none, and not by who published."""
    older, newest = digests(registry)

    assert reason_of(registry, evidence=older) == "REVIEW_OUTDATED"
    assert reason_of(registry, evidence="") == "REVIEW_OUTDATED"
    assert reason_of(registry, evidence=newest, author=ANN) == "REVIEW_BY_AUTHOR"
    also_ann = replace(BOB, actor="robot", on_behalf_of="ann")
    assert reason_of(registry, evidence=newest, author=also_ann) == "REVIEW_BY_AUTHOR"
    assert reason_of(registry, evidence=newest) == ""


def test_what_is_not_seen_is_not_reviewed(registry: Registry) -> None:
    """By somebody for whom the namespace does not exist, whatever else they may."""
    registry.set_policy("acme", private=True, author=ANN)
    stranger = replace(BOB, grants=Grants({"beta": frozenset({Role.ADMIN})}))

    found = reason_of(registry, evidence=digests(registry)[-1], author=stranger)
    assert found == "ADAPTER_NOT_FOUND"
    assert release_of(registry).health.reviews == ()


def test_report_filed_elsewhere_counts(registry: Registry, tmp_path: Path) -> None:
    """Another server filed it a moment ago: a review of what was the newest is refused."""
    other = Registry.open(str(tmp_path / "registry"))
    seen = digests(registry)[-1]
    put_report(other, release_of(other), verdict="Inconclusive")

    assert reason_of(registry, evidence=seen) == "REVIEW_OUTDATED"
